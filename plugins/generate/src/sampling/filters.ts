// Turns logits into the distribution that tokens are drawn from: temperature, top-k, top-p, min-p,
// in transformers' order. Functions on float64 numbers; those on logits work in place.

/** Divides by a temperature above 0, in place. */
export function temperature(logits: Float64Array, degree: number): void {
  if (degree !== 1) for (let id = 0; id < logits.length; id++) logits[id]! /= degree;
}

/** Keeps the k highest logits and those equal to the k-th, in place. */
export function topK(logits: Float64Array, k: number): void {
  if (k === 0 || k >= logits.length) return;
  const least = highest(logits, k);
  for (let id = 0; id < logits.length; id++) if (logits[id]! < least) logits[id] = -Infinity;
}

/**
 * Keeps the fewest likeliest tokens whose probabilities reach p (Holtzman et al. 2019), at least
 * one; in place.
 */
export function topP(logits: Float64Array, p: number): void {
  if (p >= 1) return;
  const probabilities = softmax(logits);
  const order = likeliest(probabilities);
  let total = 0;
  let kept = 0;
  while (kept < order.length && (kept === 0 || total < p)) total += probabilities[order[kept++]!]!;
  for (let place = kept; place < order.length; place++) logits[order[place]!] = -Infinity;
}

/** Keeps tokens at least `share` as likely as the likeliest (Nguyen et al. 2024), in place. */
export function minP(logits: Float64Array, share: number): void {
  if (share === 0) return;
  const least = maximum(logits) + Math.log(share);
  for (let id = 0; id < logits.length; id++) if (logits[id]! < least) logits[id] = -Infinity;
}

/** e^x / sum(e^x). */
export function softmax(logits: Float64Array): Float64Array {
  const top = maximum(logits);
  const result = new Float64Array(logits.length);
  let total = 0;
  for (let id = 0; id < logits.length; id++) {
    if (logits[id]! > -Infinity) total += result[id] = Math.exp(logits[id]! - top);
  }
  for (let id = 0; id < logits.length; id++) result[id]! /= total;
  return result;
}

/**
 * The index of the highest number, the first of equals. It compares four at a time, because few
 * numbers are higher than all before them.
 */
export function argmax(numbers: ArrayLike<number>): number {
  let best = 0;
  let top = numbers[0]!;
  for (let from = 0; from < numbers.length; from += 4) {
    const to = Math.min(from + 4, numbers.length);
    if (
      to === from + 4 &&
      !(
        numbers[from]! > top ||
        numbers[from + 1]! > top ||
        numbers[from + 2]! > top ||
        numbers[from + 3]! > top
      )
    ) {
      continue;
    }
    for (let index = from; index < to; index++) {
      if (numbers[index]! > top) top = numbers[(best = index)]!;
    }
  }
  return best;
}

/** The index that a uniform number in [0, 1) falls on. */
export function draw(probabilities: Float64Array, uniform: number): number {
  let rest = uniform;
  let last = 0;
  for (let id = 0; id < probabilities.length; id++) {
    const probability = probabilities[id]!;
    if (probability === 0) continue;
    if (rest < probability) return id;
    rest -= probability;
    last = id; // rounding can leave a rest after the last token
  }
  return last;
}

function maximum(numbers: ArrayLike<number>): number {
  return numbers[argmax(numbers)]!;
}

/** Ids of the tokens whose probability is above 0, likeliest first. */
function likeliest(probabilities: Float64Array): Uint32Array {
  const some: number[] = [];
  for (let id = 0; id < probabilities.length; id++) if (probabilities[id]! > 0) some.push(id);
  return Uint32Array.from(some).sort((a, b) => probabilities[b]! - probabilities[a]! || a - b);
}

/** The k-th highest number, by a heap of the k highest. */
function highest(numbers: Float64Array, k: number): number {
  const heap = new Float64Array(k).fill(-Infinity);
  for (const number of numbers) {
    if (number <= heap[0]!) continue;
    let place = 0;
    for (let child = 1; child < k; child = 2 * place + 1) {
      if (child + 1 < k && heap[child + 1]! < heap[child]!) child += 1;
      if (heap[child]! >= number) break;
      heap[place] = heap[child]!;
      place = child;
    }
    heap[place] = number;
  }
  return heap[0]!;
}
