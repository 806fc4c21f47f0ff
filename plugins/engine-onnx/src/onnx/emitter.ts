// Collects the ONNX nodes and initializers of one program. Lowerings write through it; tensors are
// names (strings) here.
import {
  sizeOf,
  type DType,
  type Node,
  type Shape,
  type TypedArray,
  type Value,
} from '@lmflow/sdk/graph';
import { attributes, type AttributeValue } from './attributes.ts';
import type { FreeSizes } from './dynamic-sizes.ts';
import {
  ELEMENT_TYPES,
  type GraphProto,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './schema.ts';

/** The parts of an ONNX node beside its operator and its inputs. */
export interface NodeOptions {
  readonly attributes?: Readonly<Record<string, AttributeValue>>;
  /** `com.microsoft` for ONNX Runtime's own operators. */
  readonly domain?: string;
  /** Emit the node again, even where an equal one exists. */
  readonly again?: boolean;
}

/**
 * A tensor that goes into a body or comes out of it. Sizes that change from one iteration to the
 * next are names, or there is no shape at all.
 */
export interface BodyTensor {
  readonly dtype: DType;
  readonly shape?: readonly (number | string)[];
}

/**
 * The body of a Loop or a Scan: `build` gets the names of the inputs and gives those of the
 * outputs. It may read every tensor around it.
 */
export interface Body {
  readonly inputs: readonly BodyTensor[];
  readonly outputs: readonly BodyTensor[];
  readonly build: (...inputs: string[]) => readonly string[];
}

/**
 * Collects the ONNX nodes and constants of one program while its nodes are lowered. Equal nodes are
 * emitted once.
 */
export class Emitter {
  #nodes: NodeProto[] = [];
  readonly initializers: TensorProto[] = [];
  readonly uses: ReadonlyMap<Value, number>;
  readonly #tensors = new Map<Value, string>();
  readonly #constants = new Map<string, { readonly bytes: Uint8Array; readonly name: string }[]>();
  #emitted = new Map<string, string[]>();
  #prepack: 'needed' | 'worth' | undefined;
  readonly #free: FreeSizes | undefined;
  /** Where the program runs; undefined where another runtime decides. */
  readonly device: string | undefined;
  #prefix = '';
  #count = 0;

  /**
   * `uses` counts the consumers of every live value, the program's outputs included; `free` says
   * which sizes are known at run time only; `device` is where the program runs, if that is known.
   */
  constructor(
    uses: ReadonlyMap<Value, number>,
    { free, device }: { readonly free?: FreeSizes; readonly device?: string } = {},
  ) {
    this.uses = uses;
    this.#free = free;
    this.device = device;
  }

  /** Names everything that `emit` emits after `name`, which the runtime's errors then contain. */
  named(name: string, emit: () => void): void {
    this.#prefix = name;
    emit();
  }

  /** The ONNX tensor that holds a value. */
  tensor(value: Value): string {
    const name = this.#tensors.get(value);
    if (name === undefined) {
      throw new Error(`no tensor holds value ${value.id}; lowerings must set every used output`);
    }
    return name;
  }

  tensors(values: readonly Value[]): string[] {
    return values.map((value) => this.tensor(value));
  }

  /** Records the ONNX tensor that holds a value. */
  set(value: Value, tensor: string): void {
    this.#tensors.set(value, tensor);
  }

  /** Whether anybody reads the value. */
  used(value: Value): boolean {
    return (this.uses.get(value) ?? 0) > 0;
  }

  /**
   * Emits a node and returns the names of its outputs; an empty input name stands for an absent
   * optional input. Equal nodes are emitted once, unless `options.again` asks for a second one.
   */
  nodeWithOutputs(
    opType: string,
    input: readonly string[],
    outputs: number | readonly boolean[],
    options: NodeOptions = {},
  ): string[] {
    const wanted = typeof outputs === 'number' ? new Array<boolean>(outputs).fill(true) : outputs;
    const key = options.again
      ? undefined
      : JSON.stringify([opType, options.domain, input, wanted, options.attributes]);
    const known = key && this.#emitted.get(key);
    if (known) return known;
    const id = this.#count++;
    const output = wanted.map((used, index) =>
      used ? `${this.#prefix}#${id}${index > 0 ? `.${index}` : ''}` : '',
    );
    while (output.at(-1) === '') output.pop();
    const node: NodeProto = {
      name: `${this.#prefix}#${id}`,
      opType,
      input: [...input],
      output,
      attribute: attributes(options.attributes ?? {}),
    };
    if (options.domain) node.domain = options.domain;
    this.#nodes.push(node);
    if (key) this.#emitted.set(key, output);
    return output;
  }

  /** The nodes of the program, or of the body that is being built. */
  get nodes(): NodeProto[] {
    return this.#nodes;
  }

  /**
   * A body for the attribute of a node that is emitted next. Constants that it uses are the
   * program's.
   */
  body({ inputs, outputs, build }: Body): GraphProto {
    const name = `${this.#prefix}#body${this.#count++}`;
    const [nodes, emitted] = [this.#nodes, this.#emitted];
    [this.#nodes, this.#emitted] = [[], new Map<string, string[]>()];
    const names = inputs.map((_, index) => `${name}.${index}`);
    const results = build(...names);
    const node = [...this.#nodes];
    [this.#nodes, this.#emitted] = [nodes, emitted];
    return {
      name,
      node,
      initializer: [],
      input: names.map((tensor, index) => info(tensor, inputs[index]!)),
      output: results.map((tensor, index) => info(tensor, outputs[index]!)),
    };
  }

  /**
   * Makes the runtime keep weights in its own layout, whatever `engineOnnx.prepack` is: a kernel of
   * this program is slow without.
   */
  needPrepacking(): void {
    this.#prepack = 'needed';
  }

  /** Records that a kernel of this program is faster with weights in the runtime's own layout. */
  prepackingPays(): void {
    this.#prepack ??= 'worth';
  }

  get prepack(): 'needed' | 'worth' | undefined {
    return this.#prepack;
  }

  /** Emits a node with one output. */
  node(opType: string, input: readonly string[], options: NodeOptions = {}): string {
    return this.nodeWithOutputs(opType, input, 1, options)[0]!;
  }

  /** Emits a node that computes the only output of `node`. */
  result(node: Node, opType: string, input: readonly string[], options: NodeOptions = {}): void {
    this.set(node.outputs[0]!, this.node(opType, input, options));
  }

  /** A matrix product of tensors whose outer axes agree; `transposed` names the transposed one. */
  product(a: string, b: string, transposed?: 'a' | 'b'): string {
    return this.node('FusedMatMul', [a, b], {
      domain: 'com.microsoft',
      attributes: { transA: Number(transposed === 'a'), transB: Number(transposed === 'b') },
    });
  }

  /** A constant inside the program; equal ones are kept once. */
  constant(data: TypedArray, shape: Shape, dtype: DType): string {
    const bytes = new Uint8Array(data.buffer, data.byteOffset, data.byteLength);
    const key = `${dtype}[${shape.join()}]${sizeOf(shape) <= 16 ? data.join() : ''}`;
    const known = this.#constants.get(key) ?? [];
    const same = known.find((candidate) => Buffer.compare(candidate.bytes, bytes) === 0);
    if (same) return same.name;
    const name = `constant#${this.initializers.length}`;
    this.initializers.push({ name, dims: shape, dataType: ELEMENT_TYPES[dtype], rawData: bytes });
    this.#constants.set(key, [...known, { bytes, name }]);
    return name;
  }

  /** A float32 scalar. */
  scalar(number: number): string {
    return this.constant(Float32Array.of(number), [], 'float32');
  }

  /**
   * An int64 list, as shapes, axes and bounds are given to ONNX. Free sizes among them are computed
   * at run time.
   */
  ints(numbers: readonly number[]): string {
    return (
      this.#free?.list(this, numbers) ??
      this.constant(BigInt64Array.from(numbers, BigInt), [numbers.length], 'int64')
    );
  }

  /** The shape to reshape to, where one free size can be left to the runtime. */
  target(shape: Shape): string {
    return this.ints(this.#free?.leaveOne(shape) ?? shape);
  }
}

function info(name: string, { dtype, shape }: BodyTensor): ValueInfoProto {
  const dim = shape?.map((size) =>
    typeof size === 'number' ? { dimValue: size } : { dimParam: size },
  );
  return {
    name,
    type: { tensorType: { elemType: ELEMENT_TYPES[dtype], ...(dim ? { shape: { dim } } : {}) } },
  };
}
