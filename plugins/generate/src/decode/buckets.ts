// The sizes that programs are compiled for: few, so that programs are used again, and close enough to
// waste little.

/** The smallest of 1, 2, 3, 4, 6, 8, 12, 16, ... that holds `rows`. */
export function batchBucket(rows: number): number {
  return bucket(rows, 1);
}

/** Tokens read at once: 8, 12, 16, 24, 32, ... */
export function lengthBucket(tokens: number): number {
  return bucket(tokens, 8);
}

/**
 * Places of a cache: 256, 1024, 4096, ..., at most those for `limit` tokens. They lie far apart,
 * since a step reads only filled places, and the system gives no memory to unwritten ones.
 */
export function cacheBucket(places: number, limit: number): number {
  let size = 256;
  while (size < places) size *= 4;
  return Math.min(Math.max(places, limit), size);
}

// Powers of two and the numbers half-way between them, times `unit`.
function bucket(count: number, unit: number): number {
  let size = unit;
  while (size < count) size = following(size);
  return size;
}

function following(size: number): number {
  if (size === 1) return 2;
  return size % 3 === 0 ? (size / 3) * 4 : size * 1.5;
}
