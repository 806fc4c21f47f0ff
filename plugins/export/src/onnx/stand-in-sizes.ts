// Primes that stand for the dynamic sizes of an exported model while it is traced. They are larger
// than every size of the model, so that none is taken for another.
import type { Sizes } from './graph.ts';

/** Four primes above `largest`. */
export function standInSizes(largest: number): Sizes {
  const batch = primeAfter(largest);
  const length = primeAfter(batch);
  const past = primeAfter(length);
  return { batch, length, past, kept: primeAfter(past) };
}

function primeAfter(number: number): number {
  let candidate = number + 1;
  while (!isPrime(candidate)) candidate += 1;
  return candidate;
}

function isPrime(number: number): boolean {
  for (let divisor = 2; divisor * divisor <= number; divisor++) {
    if (number % divisor === 0) return false;
  }
  return number > 1;
}
