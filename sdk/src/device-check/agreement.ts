// How well the outputs of a program agree with those of another run: outputs whose names begin
// alike (`gradient:...`) are taken together, since single ones may be nothing but rounding.

/** A run's outputs by name. */
export type Outputs = ReadonlyMap<string, ArrayLike<number>>;

/** How a group of outputs compares with the reference. */
export interface Agreement {
  /** What the names of the outputs have in common: `loss`, `gradient`. */
  readonly what: string;
  /** Numbers that were compared. */
  readonly count: number;
  /** undefined where one side is zero. */
  readonly cosine: number | undefined;
  /** |found - expected| / |expected|; 0 where both are zero. */
  readonly relativeError: number;
  /** Root mean square of the differences. */
  readonly difference: number;
}

/** A cosine of 0.99 has this relative error at least. */
const MOST_APART = Math.sqrt(1 - 0.99 ** 2);
/** Of a single number, such as the loss, which has no direction. */
const MOST_APART_ALONE = 0.01;
/** A difference up to this is rounding, however small the numbers themselves are. */
const ROUNDING = 1e-7;

interface Sums {
  count: number;
  dot: number;
  found: number;
  expected: number;
  apart: number;
}

/** Compares the outputs of two runs of a program, by group. */
export function agreements(found: Outputs, expected: Outputs): Agreement[] {
  const groups = new Map<string, Sums>();
  for (const [name, wanted] of expected) {
    const what = /^[^:.]*/.exec(name)![0];
    const sums = groups.get(what) ?? { count: 0, dot: 0, found: 0, expected: 0, apart: 0 };
    groups.set(what, sums);
    addNumbers(sums, found.get(name)!, wanted);
  }
  return [...groups].map(([what, sums]) => agreement(what, sums));
}

function addNumbers(sums: Sums, found: ArrayLike<number>, expected: ArrayLike<number>): void {
  for (let index = 0; index < expected.length; index++) {
    const [a, b] = [found[index]!, expected[index]!];
    if (Object.is(a, b) && !Number.isFinite(a)) continue;
    sums.count += 1;
    sums.dot += a * b;
    sums.found += a * a;
    sums.expected += b * b;
    sums.apart += (a - b) ** 2;
  }
}

function agreement(what: string, { count, dot, found, expected, apart }: Sums): Agreement {
  return {
    what,
    count,
    cosine: found > 0 && expected > 0 ? dot / Math.sqrt(found * expected) : undefined,
    relativeError: apart === 0 ? 0 : Math.sqrt(apart / expected),
    difference: Math.sqrt(apart / Math.max(1, count)),
  };
}

/** Whether a group is too far from the reference: a cosine under 0.99, or a length as far off. */
export function isApart({ count, relativeError, difference }: Agreement): boolean {
  if (difference <= ROUNDING) return false;
  return !(relativeError <= (count === 1 ? MOST_APART_ALONE : MOST_APART));
}

/** `gradient: cosine 0.99999, relative error 0.31%`. */
export function describeAgreement({ what, count, cosine, relativeError }: Agreement): string {
  const percent = `${(100 * relativeError).toPrecision(2)}%`;
  return count === 1 || cosine === undefined
    ? `${what}: relative error ${percent}`
    : `${what}: cosine ${cosine.toFixed(5)}, relative error ${percent}`;
}
