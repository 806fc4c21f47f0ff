// The normaliser of log-probabilities. Those of given tokens are plugin scoring's.

/** log(sum(e^x)), in float64: what is taken from a logit to get a log-probability. */
export function logSumExp(numbers: ArrayLike<number>): number {
  let largest = -Infinity;
  for (let index = 0; index < numbers.length; index++) {
    if (numbers[index]! > largest) largest = numbers[index]!;
  }
  let sum = 0;
  for (let index = 0; index < numbers.length; index++) sum += Math.exp(numbers[index]! - largest);
  return largest + Math.log(sum);
}
