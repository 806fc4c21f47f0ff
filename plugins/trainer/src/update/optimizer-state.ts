// The state of one parameter: tensors, some in 8 bits, and numbers. Makes, measures, saves and
// restores it; updater.ts keeps the states.
import type { Optimizer } from '@lmflow/sdk';
import { loadParameter, type Parameter } from '@lmflow/sdk/model';
import { sizeOf, type Shape } from '@lmflow/sdk/graph';
import { BLOCK, EightBitTensor, type EightBitKind } from './eight-bit-state.ts';

export interface ParameterState {
  /** Updates done. */
  step: number;
  numbers: Readonly<Record<string, number>>;
  readonly tensors: Readonly<
    Record<string, { readonly shape: Shape; readonly data: Float32Array }>
  >;
  readonly eightBit: Readonly<Record<string, EightBitTensor>>;
  /** The trained numbers, while the parameter holds the weights to evaluate. */
  trained?: Float32Array | undefined;
}

export type StateTensors = Map<
  string,
  { readonly shape: readonly number[]; readonly data: Float32Array }
>;
export type SavedTensors = ReadonlyMap<string, { readonly data: Float32Array }>;

/** State before the first update; `kinds` names the tensors that are held in 8 bits. */
export async function newState(
  optimizer: Optimizer,
  kinds: Readonly<Record<string, EightBitKind>>,
  parameter: Parameter,
): Promise<ParameterState> {
  const tensors = Object.entries(optimizer.init(parameter)).filter(([name]) => !kinds[name]);
  const made: Record<string, { readonly shape: Shape; readonly data: Float32Array }> = {};
  for (const [name, { shape, start }] of tensors) {
    const first = start === 'parameter' ? await loadParameter(parameter) : undefined;
    made[name] = { shape, data: first?.slice() ?? new Float32Array(sizeOf(shape)) };
  }
  return {
    step: 0,
    numbers: { ...optimizer.numbers?.first },
    tensors: made,
    eightBit: Object.fromEntries(
      Object.entries(kinds).map(([name, kind]) => [
        name,
        new EightBitTensor(sizeOf(parameter.shape), kind),
      ]),
    ),
  };
}

/** Bytes of a parameter's state. */
export function stateBytes(
  optimizer: Optimizer,
  kinds: Readonly<Record<string, EightBitKind>>,
  parameter: Parameter,
): number {
  return Object.entries(optimizer.init(parameter)).reduce(
    (bytes, [name, { shape }]) => bytes + sizeOf(shape) * (kinds[name] ? 1 + 4 / BLOCK : 4),
    0,
  );
}

/** Tensors by the end of their names. Codes are written four to a float32. */
export function saveState(state: ParameterState): StateTensors {
  const tensors: StateTensors = new Map([
    ['step', { shape: [], data: Float32Array.of(state.step) }],
  ]);
  for (const [name, number] of Object.entries(state.numbers)) {
    tensors.set(name, { shape: [], data: Float32Array.of(number) });
  }
  for (const [name, tensor] of Object.entries(state.tensors)) tensors.set(name, tensor);
  for (const [name, { packed, scales }] of Object.entries(state.eightBit)) {
    tensors.set(`${name}.codes`, { shape: [packed.length], data: packed });
    tensors.set(`${name}.scales`, { shape: [scales.length], data: scales });
  }
  if (state.trained) tensors.set('trained', { shape: [state.trained.length], data: state.trained });
  return tensors;
}

/**
 * Fills a new state, and `trained` with the trained numbers; returns the ends of names that are
 * missing or of another size.
 */
export function restoreState(
  state: ParameterState,
  read: (key: string) => Float32Array | undefined,
  trained: Float32Array | undefined,
): string[] {
  const missing: string[] = [];
  const fill = (key: string, target: Float32Array): void => {
    const found = read(key);
    if (found?.length === target.length) target.set(found);
    else missing.push(key);
  };
  state.step = read('step')![0]!;
  const names = Object.keys(state.numbers);
  const numbers = names.map(() => new Float32Array(1));
  names.forEach((name, index) => {
    fill(name, numbers[index]!);
  });
  state.numbers = Object.fromEntries(names.map((name, index) => [name, numbers[index]![0]!]));
  for (const [name, { data }] of Object.entries(state.tensors)) fill(name, data);
  for (const [name, { packed, scales }] of Object.entries(state.eightBit)) {
    fill(`${name}.codes`, packed);
    fill(`${name}.scales`, scales);
  }
  if (trained) fill('trained', trained);
  return missing;
}
