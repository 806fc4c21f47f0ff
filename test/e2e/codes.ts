// What int8-compute rounds: the codes of the activations of each product in a run, and where two
// runs part. Not a test.
import * as assert from 'uvu/assert';
import type { Graph } from '@lmflow/sdk/graph';

const OP = '@lmflow/plugin-int8-compute/matMulInt8';
/**
 * Outputs that are added to a program: `activations of <weight> <length of a row> <occurrence>`.
 */
const PREFIX = 'activations of ';

/**
 * Makes the activations of all int8 products outputs of a program, in the order in which they are
 * computed.
 */
export function showActivations(graph: Graph): void {
  const seen = new Map<string, number>();
  for (const { op, inputs } of [...graph.nodes]) {
    if (op.name !== OP) continue;
    const { source } = inputs[1]!; // the codes of one linear in one direction
    assert.is(source.kind, 'weight');
    const weight = source.kind === 'weight' ? source.name : '';
    seen.set(weight, (seen.get(weight) ?? 0) + 1);
    graph.output(`${PREFIX}${weight} ${inputs[0]!.shape[1]!} ${seen.get(weight)!}`, inputs[0]!);
  }
}

export type Run = Readonly<Record<string, readonly number[]>>;

/** Whether an output is one of those. */
export const isActivation = (name: string): boolean => name.startsWith(PREFIX);

/**
 * The first product of `found` with other codes than in `expected`, or undefined where all are the
 * same. Throws unless all activations until there agree to 1e-5, and at most a few of its codes
 * moved, by one step: what comes later differs because of the step and not because of what was
 * computed. A product that is computed again in the backward pass is compared with the first time.
 */
export function firstOtherCodes(found: Run, expected: Run): string | undefined {
  const weightOf = (name: string): string => name.slice(0, name.lastIndexOf(' '));
  for (const [name, numbers] of Object.entries(expected).filter(([key]) => isActivation(key))) {
    for (const again of Object.keys(found).filter(
      (key) => isActivation(key) && weightOf(key) === weightOf(name),
    )) {
      const others = found[again]!;
      const scale = numbers.reduce((most, number) => Math.max(most, Math.abs(number)), 0);
      assert.ok(
        numbers.every((number, index) => Math.abs(number - others[index]!) <= 1e-5 * scale),
        `${again}: activations differ before any code does`,
      );
      const [codes, otherCodes] = [numbers, others].map((array) =>
        codesOf(array, Number(name.split(' ').at(-2))),
      );
      const moved = codes!.flatMap((code, index) =>
        code === otherCodes![index] ? [] : [Math.abs(code - otherCodes![index]!)],
      );
      if (moved.length === 0) continue;
      assert.ok(
        moved.every((steps) => steps === 1) && moved.length <= 3,
        `${again}: ${moved.length} codes moved, by up to ${Math.max(...moved)}`,
      );
      return again;
    }
  }
  return undefined;
}

/**
 * As the runtime rounds: rows divided by their largest magnitude, then 8 bits between the smallest
 * and the largest number of all. In float32.
 */
function codesOf(numbers: readonly number[], width: number): number[] {
  const divided = Float32Array.from(numbers);
  for (let row = 0; row < divided.length; row += width) {
    const part = divided.subarray(row, row + width);
    const largest = part.reduce(
      (most, number) => Math.max(most, Math.abs(number)),
      Math.fround(1e-30),
    );
    part.forEach((number, index) => {
      part[index] = number / largest;
    });
  }
  const [least, most] = [
    divided.reduce((a, b) => Math.min(a, b), 0),
    divided.reduce((a, b) => Math.max(a, b), 0),
  ];
  const scale = Math.fround(Math.fround(most - least) / 255);
  const zero = toEven(Math.fround(-least / scale));
  return Array.from(divided, (number) =>
    Math.min(255, Math.max(0, toEven(Math.fround(number / scale)) + zero)),
  );
}

function toEven(number: number): number {
  const below = Math.floor(number);
  const part = number - below;
  return part > 0.5 || (part === 0.5 && below % 2 !== 0) ? below + 1 : below;
}
