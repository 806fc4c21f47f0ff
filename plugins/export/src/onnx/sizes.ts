// Numbers that stand for the sizes of an exported model that are free: larger than every size it
// has, so that they are not mistaken for one.
import type { Sizes } from './graph.ts';

/** Stand-ins above `largest`. */
export function standIns(largest: number): Sizes {
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
