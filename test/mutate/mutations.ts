// Ways to break a file, each decided by a stream of random numbers: the same seed breaks it the same
// way.
import type { RandomStream } from '@lmflow/sdk';

/** Draws whole numbers and members of lists. */
export class Dice {
  readonly #random: RandomStream;
  #drawn = 0;

  constructor(random: RandomStream) {
    this.#random = random;
  }

  /** A whole number from 0 to below `end`. */
  below(end: number): number {
    return Math.floor(this.#random.uniform(this.#drawn++) * end);
  }

  one<T>(list: readonly T[]): T {
    return list[this.below(list.length)]!;
  }
}

type ByteChange = (bytes: Buffer, dice: Dice) => Buffer;

const BYTES: readonly ByteChange[] = [
  (bytes, dice) => {
    const changed = Buffer.from(bytes);
    for (let left = 1 + dice.below(8); left > 0; left--) {
      changed[dice.below(changed.length)]! ^= 1 << dice.below(8);
    }
    return changed;
  },
  (bytes, dice) => bytes.subarray(0, dice.below(bytes.length)),
  (bytes, dice) => bytes.subarray(dice.below(bytes.length)),
  (bytes, dice) => {
    const at = dice.below(bytes.length);
    const end = Math.min(bytes.length, at + 1 + dice.below(64));
    return Buffer.concat([bytes.subarray(0, end), bytes.subarray(at)]);
  },
  (bytes, dice) => {
    const at = dice.below(bytes.length);
    const more = Buffer.alloc(1 + dice.below(16), dice.one([0, 255, 0x7b, 0x5b, 0x22, 0x0a]));
    return Buffer.concat([bytes.subarray(0, at), more, bytes.subarray(at)]);
  },
  (_bytes, dice) => dice.one([Buffer.alloc(0), Buffer.from('\uFEFF{}'), Buffer.alloc(1000)]),
];

/** Bytes flipped, cut, doubled, put in, or all gone. */
export function changeBytes(bytes: Buffer, dice: Dice): Buffer {
  return bytes.length === 0 ? bytes : dice.one(BYTES)(bytes, dice);
}

const VALUES: readonly ((dice: Dice) => unknown)[] = [
  () => null,
  () => true,
  () => '',
  () => 'x'.repeat(100_000),
  () => '\u0000\uD800{{ 1 }}',
  () => [],
  () => ({}),
  (dice) => dice.one([0, -1, 1, 1e9, 1e308, -1e-308, 0.5, 2 ** 53, 4294967296]),
  (dice) => nested(dice.one([10, 1000])),
  (dice) => Array.from({ length: dice.one([1, 1000]) }, () => dice.one([null, 1, 'a', {}])),
  () => Object.fromEntries(Array.from({ length: 1000 }, (_, index) => [`k${index}`, index])),
  () => JSON.parse('{"__proto__": {"a": 1}, "constructor": null, "length": -1}') as unknown,
];

function nested(depth: number): unknown {
  let value: unknown = 1;
  for (let left = depth; left > 0; left--) value = left % 2 ? [value] : { a: value };
  return value;
}

/** One to three members of a JSON value: gone, of another type, huge, nested, or under another name. */
export function changeJson(value: unknown, dice: Dice): unknown {
  const copy = { root: structuredClone(value) };
  for (let left = 1 + dice.below(3); left > 0; left--) changeMember(copy, dice);
  return copy.root;
}

function changeMember(root: Record<string, unknown>, dice: Dice): void {
  let holder = root;
  let key = 'root';
  for (let depth = dice.below(6); depth > 0; depth--) {
    const inner = holder[key];
    if (typeof inner !== 'object' || inner === null || Object.keys(inner).length === 0) break;
    holder = inner as Record<string, unknown>;
    key = dice.one(Object.keys(holder));
  }
  const kind = dice.below(8);
  if (kind === 0 && holder !== root) Reflect.deleteProperty(holder, key);
  else if (kind === 1 && holder !== root) holder[`${key}_`] = holder[key];
  else holder[key] = dice.one(VALUES)(dice);
}

/** A JSON text with members changed, or its bytes. */
export function changeJsonText(text: string, dice: Dice): Buffer {
  return dice.below(4) === 0
    ? changeBytes(Buffer.from(text), dice)
    : Buffer.from(JSON.stringify(changeJson(JSON.parse(text), dice)) ?? '');
}
