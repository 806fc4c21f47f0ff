// Sizes that programs are compiled for: a few, so that they are used again, and near enough to each
// other to waste little.

/** The smallest of 1, 2, 3, 4, 6, 8, 12, 16, ... that holds `rows`. */
export function batchBucket(rows: number): number {
  return bucket(rows, 1);
}

/** Tokens read at once: 8, 12, 16, 24, 32, ... */
export function lengthBucket(tokens: number): number {
  return bucket(tokens, 8);
}

/**
 * Places of a cache: 256, 1024, 4096, ...; never more than are needed for `limit` tokens. Far
 * apart, since a step reads only the places that are filled, and memory that nobody wrote to is not
 * there.
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
