// Runs a tensor program in float64, op by op: the reference that engines and gradients are tested
// against. Slow by design.
import { Graph, type Node, type Value } from './graph.ts';
import { ndarray, type NdArray } from './ndarray.ts';
import { opNotSupported, graphError } from './errors.ts';
import { describe, sameShape, sizeOf, type TypedArray } from './types.ts';
import type { WeightSource } from './weight.ts';

/** How `interpret` gets at numbers that are not in the graph. */
export interface InterpretOptions {
  /** Reads a weight that lives in a file; weights in memory need none. */
  readonly readWeight?: (weight: WeightSource) => NdArray;
}

/**
 * Results of the graph's outputs for the given inputs; throws where an input is missing or has
 * another shape.
 */
export function interpret(
  graph: Graph,
  inputs: Readonly<Record<string, NdArray>>,
  options: InterpretOptions = {},
): Record<string, NdArray> {
  const known = new Map<Value, NdArray>();
  for (const [name, value] of graph.inputs) {
    const array = inputs[name];
    if (!array) {
      throw graphError('interpret', `the input "${name}" (${describe(value)}) is missing`);
    }
    if (!sameShape(array.shape, value.shape)) {
      throw graphError(
        'interpret',
        `the input "${name}" is [${array.shape.join(', ')}], not ${describe(value)}`,
      );
    }
    if (array.data.length !== sizeOf(value.shape)) {
      throw graphError(
        'interpret',
        `the input "${name}" has ${array.data.length} numbers, not the ${sizeOf(value.shape)} of ${describe(value)}`,
      );
    }
    known.set(value, array);
  }
  const results: Record<string, NdArray> = {};
  for (const [name, value] of graph.outputs) results[name] = evaluate(value, known, options);
  return results;
}

function evaluate(target: Value, known: Map<Value, NdArray>, options: InterpretOptions): NdArray {
  const pending = [target];
  while (pending.length > 0) {
    const value = pending[pending.length - 1]!;
    if (known.has(value)) {
      pending.pop();
      continue;
    }
    const { source } = value;
    if (source.kind === 'node') {
      const missing = source.node.inputs.filter((input) => !known.has(input));
      if (missing.length > 0) {
        pending.push(...missing);
        continue;
      }
      const results = run(
        source.node,
        source.node.inputs.map((input) => known.get(input)!),
        options,
      );
      source.node.outputs.forEach((output, index) => known.set(output, results[index]!));
    } else known.set(value, leaf(value, options));
    pending.pop();
  }
  return known.get(target)!;
}

function leaf(value: Value, options: InterpretOptions): NdArray {
  const { source, shape } = value;
  if (source.kind === 'constant') return ndarray(shape, numbers(source.data));
  if (source.kind !== 'weight') throw graphError('interpret', `${describe(value)} has no value`);
  if (options.readWeight) return options.readWeight(source.weight);
  if (source.weight.kind === 'memory' && value.dtype !== 'bfloat16' && value.dtype !== 'float16') {
    return ndarray(shape, numbers(source.weight.data));
  }
  throw graphError(
    'interpret',
    `the weight "${source.name}" (${describe(value)}) needs options.readWeight`,
  );
}

function run(node: Node, inputs: NdArray[], options: InterpretOptions): readonly NdArray[] {
  if (node.op.evaluate) return node.op.evaluate(inputs, node.attributes, node.outputs);
  if (!node.op.decompose) throw opNotSupported(node.op.name, node.name, 'the interpreter');
  const graph = new Graph();
  const values = node.inputs.map((input, index) =>
    graph.input(String(index), input.dtype, input.shape),
  );
  const outputs = node.op.decompose(values, node.attributes);
  const known = new Map(values.map((value, index) => [value, inputs[index]!]));
  return outputs.map((output) => evaluate(output, known, options));
}

function numbers(data: TypedArray): ArrayLike<number> {
  return data instanceof BigInt64Array ? Float64Array.from(data, Number) : data;
}
