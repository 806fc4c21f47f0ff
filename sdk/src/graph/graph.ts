// A tensor program as data: inputs, constants, weights, nodes in the order they were built, named
// outputs; and what the ops of its nodes are. It computes nothing.
import type { NdArray } from './ndarray.ts';
import {
  describe,
  sizeOf,
  type Attributes,
  type DType,
  type Shape,
  type TypedArray,
  type ValueType,
} from './types.ts';
import type { WeightSource } from './weight.ts';
import { graphError, opTypesDoNotFit } from './errors.ts';

/**
 * What makes a value: an input fed at run time, a small constant, a frozen weight, or one output of
 * a node.
 */
export type Source =
  | { readonly kind: 'input'; readonly name: string }
  | { readonly kind: 'constant'; readonly data: TypedArray }
  | { readonly kind: 'weight'; readonly name: string; readonly weight: WeightSource }
  | { readonly kind: 'node'; readonly node: Node; readonly index: number };

/** A value of the program: a type and where it comes from. */
export interface Value extends ValueType {
  readonly graph: Graph;
  readonly id: number;
  readonly source: Source;
}

/** One application of an op. `name` is unique in the graph and says the region it was built in. */
export interface Node<A extends Attributes = Attributes> {
  readonly name: string;
  readonly op: OpDefinition<A>;
  readonly inputs: readonly Value[];
  readonly attributes: A;
  readonly outputs: readonly Value[];
  readonly region: Region | undefined;
}

/**
 * Definition of an op: a primitive has `evaluate`, a composite has `decompose` (and may have a
 * faster `gradient`).
 */
export interface OpDefinition<A extends Attributes = Attributes> {
  /** Unique name, lower camel case; a plugin's op carries its package (`@scope/plugin-x/myOp`). */
  readonly name: string;
  /** Types of the outputs; throws `opTypesDoNotFit` where the inputs do not fit. */
  infer(inputs: readonly ValueType[], attributes: A): readonly ValueType[];
  /**
   * Gradients of the inputs from those of the outputs (undefined: no gradient flows). `needed[i]`
   * says whether input i's is used; returning undefined means zero. Without it a composite is
   * differentiated through its decomposition.
   */
  gradient?(
    node: Node<A>,
    outputGradients: readonly (Value | undefined)[],
    needed: readonly boolean[],
  ): readonly (Value | undefined)[];
  /**
   * How many outputs, counted from the first, are results (default: all); the others are kept for
   * the backward pass only, and `gradient` takes none for them. Where one arrives nevertheless
   * (second derivatives), the decomposition is differentiated instead.
   */
  readonly results?: number;
  /** The same computation in simpler ops. */
  decompose?(inputs: readonly Value[], attributes: A): readonly Value[];
  /** Reference result in float64, for the interpreter. */
  evaluate?(
    inputs: readonly NdArray[],
    attributes: A,
    types: readonly ValueType[],
  ): readonly NdArray[];
}

/**
 * A marked part of the program (a transformer block): unit of checkpointing, ZeRO-3 splitting,
 * memory plan and profile.
 */
export interface Region {
  readonly name: string;
  readonly parent: Region | undefined;
  /** Compute the region a second time in the backward pass instead of keeping its inner values. */
  readonly recompute: boolean;
}

/**
 * How a region is treated in the backward pass; `recompute` computes it again instead of keeping
 * its values.
 */
export interface RegionOptions {
  readonly recompute?: boolean;
}

/**
 * A tensor program: nodes in the order they were traced, with named inputs, weights and outputs.
 * Shapes are static.
 */
export class Graph {
  readonly nodes: Node[] = [];
  readonly inputs = new Map<string, Value>();
  readonly outputs = new Map<string, Value>();
  readonly weights = new Map<string, Value>();
  #values = 0;
  #region: Region | undefined;

  /**
   * A value fed at every run. Asking again for the same name gives the same value; another type for
   * it is an error.
   */
  input(name: string, dtype: DType, shape: Shape): Value {
    const known = this.inputs.get(name);
    if (known) return this.#same(known, { dtype, shape }, `input "${name}"`);
    if (shape.some((size) => !Number.isInteger(size) || size < 0)) {
      throw graphError(
        `input "${name}"`,
        `the sizes of ${describe({ dtype, shape })} are not whole numbers`,
      );
    }
    const value = this.#value({ kind: 'input', name }, { dtype, shape });
    this.inputs.set(name, value);
    return value;
  }

  /** A small constant, kept inside the program. `data` is row-major. */
  constant(data: TypedArray, shape: Shape, dtype: DType): Value {
    if (data.length !== sizeOf(shape)) {
      throw graphError(
        'constant',
        `${data.length} numbers do not fill ${describe({ dtype, shape })}`,
      );
    }
    return this.#value({ kind: 'constant', data }, { dtype, shape });
  }

  /** A float32 scalar constant. */
  scalar(number: number): Value {
    return this.constant(Float32Array.of(number), [], 'float32');
  }

  /**
   * A frozen weight: the engine reads its numbers where `weight` says they are. One value per name.
   */
  weight(name: string, weight: WeightSource): Value {
    const known = this.weights.get(name);
    if (known) return this.#same(known, weight, `weight "${name}"`);
    const value = this.#value({ kind: 'weight', name, weight }, weight);
    this.weights.set(name, value);
    return value;
  }

  /** Names a value as a result of the program. */
  output(name: string, value: Value): void {
    if (value.graph !== this) throw graphError('output', `"${name}" belongs to another graph`);
    if (this.outputs.has(name)) throw graphError('output', `"${name}" is named twice`);
    this.outputs.set(name, value);
  }

  /** Builds `build`'s nodes inside a named region; regions nest. */
  region<T>(name: string, build: () => T, options: RegionOptions = {}): T {
    return this.within(
      { name, parent: this.#region, recompute: options.recompute ?? false },
      build,
    );
  }

  /**
   * Builds nodes in an existing region (or in none): the gradient puts a region's backward beside
   * its forward so.
   */
  within<T>(region: Region | undefined, build: () => T): T {
    const outer = this.#region;
    this.#region = region;
    try {
      return build();
    } finally {
      this.#region = outer;
    }
  }

  /** Appends a node; used by `applyOp`, which infers `types`. */
  append<A extends Attributes>(
    op: OpDefinition<A>,
    inputs: readonly Value[],
    attributes: A,
    types: readonly ValueType[],
  ): Node<A> {
    const wrong = types.find(({ shape }) =>
      shape.some((size) => !Number.isInteger(size) || size < 0),
    );
    if (wrong) {
      throw opTypesDoNotFit(
        op.name,
        inputs,
        `gives a result ${describe(wrong)}, whose sizes are not whole numbers`,
      );
    }
    const path = regionPath(this.#region);
    const outputs: Value[] = [];
    const node: Node<A> = {
      name: `${path}${op.name}_${this.nodes.length}`,
      op,
      inputs,
      attributes,
      outputs,
      region: this.#region,
    };
    types.forEach((type, index) =>
      outputs.push(this.#value({ kind: 'node', node: node as unknown as Node, index }, type)),
    );
    this.nodes.push(node);
    return node;
  }

  #value(source: Source, type: ValueType): Value {
    return { graph: this, id: this.#values++, source, dtype: type.dtype, shape: type.shape };
  }

  #same(known: Value, type: ValueType, what: string): Value {
    if (describe(known) !== describe(type)) {
      throw graphError(what, `it is ${describe(known)}, but ${describe(type)} was asked for`);
    }
    return known;
  }
}

function regionPath(region: Region | undefined): string {
  return region ? `${regionPath(region.parent)}${region.name}/` : '';
}
