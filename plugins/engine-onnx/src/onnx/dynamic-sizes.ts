// Sizes that are known only at run time. Programs have fixed shapes, so a portable model is traced
// with stand-ins, primes larger than its other sizes; where a lowering writes a stand-in or a product
// of them, the model computes the real size.
import type { AttributeProto, DimensionProto, NodeProto, TensorProto } from './schema.ts';

/** What of an emitter computes sizes. */
interface SizeEmitter {
  ints(numbers: readonly number[]): string;
  node(
    opType: string,
    input: readonly string[],
    options?: { readonly attributes: Readonly<Record<string, number>> },
  ): string;
}

/**
 * A size with a name. `stand` is its stand-in; `input` and `axis` say where the model finds it at run
 * time, if anywhere.
 */
export interface FreeSize {
  readonly name: string;
  readonly stand: number;
  readonly input?: string;
  readonly axis?: number;
}

/** The free sizes of a program, found by their stand-ins in the traced graph. */
export class FreeSizes {
  readonly #sizes: readonly FreeSize[];

  constructor(sizes: readonly FreeSize[]) {
    this.#sizes = sizes;
  }

  /** A size of an input or output: its number, or its name. */
  dimension(size: number): DimensionProto {
    const found = this.#sizes.find(({ stand }) => stand === size);
    return found ? { dimParam: found.name } : { dimValue: size };
  }

  /**
   * The numbers as an int64 tensor that is put together at run time, or undefined where none of
   * them is free.
   */
  list(emit: SizeEmitter, numbers: readonly number[]): string | undefined {
    if (!numbers.some((number) => this.#isFree(number))) return undefined;
    const parts: string[] = [];
    let fixed: number[] = [];
    const flush = (): void => {
      if (fixed.length > 0) parts.push(emit.ints(fixed));
      fixed = [];
    };
    for (const number of numbers) {
      if (!this.#isFree(number)) {
        fixed.push(number);
        continue;
      }
      flush();
      parts.push(this.#product(emit, number));
    }
    flush();
    return parts.length === 1 ? parts[0]! : emit.node('Concat', parts, { attributes: { axis: 0 } });
  }

  /**
   * A shape with -1 for one free size: one that cannot be found at run time, else a product, else
   * the last.
   */
  leaveOne(shape: readonly number[]): readonly number[] {
    const free = shape.flatMap((size, axis) => (this.#isFree(size) ? [axis] : []));
    if (free.length === 0 || shape.includes(0)) return shape;
    const rank = (axis: number): number => {
      const factors = this.#factors(shape[axis]!);
      if (factors.some(({ input }) => input === undefined)) return 2;
      return factors.length > 1 ? 1 : 0;
    };
    const left = free.reduce((best, axis) => (rank(axis) >= rank(best) ? axis : best));
    return shape.map((size, axis) => (axis === left ? -1 : size));
  }

  /** The stand-ins that nodes or constants still hold: the holder and the number. */
  leftovers(
    nodes: readonly NodeProto[],
    initializers: readonly TensorProto[],
  ): { readonly where: string; readonly number: number }[] {
    const found: { where: string; number: number }[] = [];
    const check = (where: string, numbers: readonly number[]): void => {
      for (const number of numbers) if (this.#isFree(number)) found.push({ where, number });
    };
    for (const { name, dims, dataType, rawData } of initializers) {
      const reader = nodes.find(({ input }) => input.includes(name!))?.name ?? name!;
      check(reader, dims);
      if (dataType === 7 && rawData) {
        check(reader, Array.from(new BigInt64Array(rawData.slice().buffer), Number));
      }
      if (dataType === 6 && rawData) {
        check(reader, Array.from(new Int32Array(rawData.slice().buffer)));
      }
    }
    for (const { name, attribute } of nodes) {
      for (const { i, ints } of attribute as readonly AttributeProto[]) {
        check(name, [...(i === undefined ? [] : [i]), ...(ints ?? [])]);
      }
    }
    return found;
  }

  #isFree(number: number): boolean {
    return number > 1 && this.#sizes.some(({ stand }) => number % stand === 0);
  }

  #factors(number: number): FreeSize[] {
    return this.#sizes.filter(({ stand }) => number % stand === 0);
  }

  #product(emit: SizeEmitter, number: number): string {
    const factors = this.#factors(number);
    const fixed = factors.reduce((rest, { stand }) => rest / stand, number);
    const tensors = factors.map(({ name, input, axis }) => {
      if (input === undefined) {
        throw new Error(`the size "${name}" is not known at run time where it is needed`);
      }
      return emit.node('Gather', [emit.node('Shape', [input]), emit.ints([axis!])], {
        attributes: { axis: 0 },
      });
    });
    if (fixed !== 1) tensors.push(emit.ints([fixed]));
    return tensors.reduce((product, tensor) => emit.node('Mul', [product, tensor]));
  }
}
