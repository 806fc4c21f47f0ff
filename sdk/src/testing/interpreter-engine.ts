// An engine on the float64 interpreter: exact, slow, without a runtime. For tests of what runs on
// engines, and a short example of one.
import {
  ENGINES,
  type CompileOptions,
  type DeviceReport,
  type Engine,
  type Program,
  type Tensor,
  type TensorMap,
} from '../engine.ts';
import {
  describe,
  interpret,
  ndarray,
  sameShape,
  sizeOf,
  type DType,
  type Graph,
  type NdArray,
  type Shape,
  type TypedArray,
  type Value,
  type ValueType,
} from '../graph/index.ts';
import { definePlugin, type Plugin } from '../plugin.ts';
import { programDisposed, tensorInvalid } from './errors.ts';
import { ARRAYS, numbersOf, readNumbers, typedArray } from './numbers.ts';

class ArrayTensor implements Tensor {
  readonly location = 'cpu';
  readonly dtype: DType;
  readonly shape: Shape;
  readonly data: TypedArray;

  constructor({ dtype, shape }: ValueType, data: TypedArray) {
    this.dtype = dtype;
    this.shape = shape;
    this.data = data;
  }

  read(): Promise<TypedArray> {
    return Promise.resolve(this.data);
  }

  dispose(): void {
    // the garbage collector frees the array
  }
}

class InterpretedProgram implements Program {
  readonly #name: string;
  #graph: Graph | undefined;

  constructor(name: string, graph: Graph) {
    this.#name = name;
    this.#graph = graph;
  }

  async run(inputs: TensorMap, outputs: TensorMap = {}): Promise<TensorMap> {
    const graph = this.#graph;
    if (!graph) throw programDisposed(this.#name);
    const numbers: Record<string, NdArray> = {};
    for (const [name, value] of graph.inputs) {
      const { data, dtype, shape } = this.#fitting(`the input "${name}"`, value, inputs[name]);
      numbers[name] = ndarray(shape, numbersOf(data, dtype));
    }
    const targets = new Map(
      [...graph.outputs]
        .filter(([name]) => outputs[name])
        .map(([name, value]) => [
          name,
          this.#fitting(`the output "${name}"`, value, outputs[name]),
        ]),
    );
    const found = interpret(graph, numbers, { readWeight: readNumbers });
    return Object.fromEntries(
      [...graph.outputs].map(([name, value]) => [
        name,
        written(typedArray(found[name]!.data, value.dtype), value, targets.get(name)),
      ]),
    );
  }

  dispose(): Promise<void> {
    this.#graph = undefined;
    return Promise.resolve();
  }

  #fitting(what: string, wanted: Value, tensor: Tensor | undefined): ArrayTensor {
    const where = `the program "${this.#name}", ${what}:`;
    if (!tensor) throw tensorInvalid(where, wanted, 'nothing');
    if (!(tensor instanceof ArrayTensor)) {
      throw tensorInvalid(where, wanted, 'a tensor of another engine');
    }
    if (tensor.dtype !== wanted.dtype || !sameShape(tensor.shape, wanted.shape)) {
      throw tensorInvalid(where, wanted, describe(tensor));
    }
    return tensor;
  }
}

function written(data: TypedArray, type: ValueType, target: ArrayTensor | undefined): ArrayTensor {
  if (!target) return new ArrayTensor(type, data);
  (target.data as { set(numbers: TypedArray): void }).set(data);
  return target;
}

class InterpreterEngine implements Engine {
  readonly name = 'interpreter';
  readonly device = 'cpu';
  #programs = 0;

  async upload(data: TypedArray, shape: Shape, dtype: DType): Promise<Tensor> {
    if (!(data instanceof ARRAYS[dtype]) || data.length !== sizeOf(shape)) {
      throw tensorInvalid(
        'a tensor',
        { dtype, shape },
        `a ${data.constructor.name} of ${data.length}`,
      );
    }
    return new ArrayTensor({ dtype, shape }, data);
  }

  compile(
    graph: Graph,
    { name = `program ${++this.#programs}` }: CompileOptions = {},
  ): Promise<Program> {
    return Promise.resolve(new InterpretedProgram(name, graph));
  }

  devices(): Promise<readonly DeviceReport[]> {
    return Promise.resolve([
      { device: 'cpu', available: true, detail: 'the interpreter, in float64' },
    ]);
  }
}

/** An engine that interprets programs in float64; outputs are rounded to their dtype. */
export function interpreterEngine(): Engine {
  return new InterpreterEngine();
}

/** The plugin that contributes that engine, under the name `interpreter`, to a kernel. */
export const interpreterPlugin: () => Plugin = definePlugin({
  name: '@lmflow/sdk/testing/interpreter',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply: (context) => {
    context.contribute(ENGINES, { name: 'interpreter', create: interpreterEngine });
  },
});
