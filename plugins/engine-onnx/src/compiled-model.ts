// Compiles a flat graph to the bytes of an ONNX model, with the weights that are fed beside the
// program's inputs.
import {
  BYTES,
  sizeOf,
  type Graph,
  type MemoryWeight,
  type Node,
  type Value,
  type WeightSource,
} from '@lmflow/sdk/graph';
import { LMFlowError } from '@lmflow/sdk';
import { compileFailed } from './errors.ts';
import type { Flat } from './flat-graph.ts';
import { planFusions } from './fusions.ts';
import type { Lowerings } from './lowerings/lowering.ts';
import { Emitter } from './onnx/emitter.ts';
import {
  ELEMENT_TYPES,
  encodeModel,
  type NodeProto,
  type TensorProto,
  type ValueInfoProto,
} from './onnx/schema.ts';
import { cleanNodes } from './onnx/node-cleanup.ts';
import { externalLocation } from './weights/external-files.ts';

/** An ONNX model as bytes, with what a session needs to run it. */
export interface Compiled {
  readonly model: Uint8Array;
  /**
   * Weights in memory by ONNX input name: they are fed at every run, not copied into the model.
   */
  readonly fed: ReadonlyMap<string, MemoryWeight>;
  /**
   * Whether a kernel needs prepacked weights, or is faster with them (see Emitter.needPrepacking
   * and prepackingPays).
   */
  readonly prepack: 'needed' | 'worth' | undefined;
  /** Whether the model has the output COPY_STOP. */
  readonly copyStop: boolean;
}

/**
 * The first output, of a type that the runtime's binding cannot turn into JavaScript: its error ends
 * a successful run before the binding copies the other outputs, which are already written in place.
 * (A copy costs 0.6 ms and a MB of garbage per MB.)
 */
export const COPY_STOP = 'last word';

/** Outputs from this size on are worth the error's 12 microseconds. */
const WORTH_BYTES = 1 << 16;

/** The ONNX name of a program's input; in our graph an input and an output may share a name. */
export const inputName = (name: string): string => `input:${name}`;
/** The name that the model gives to the output `name` of a graph. */
export const outputName = (name: string): string => `output:${name}`;

/** Weights in memory up to this size are put into the model. */
const EMBEDDED_BYTES = 1 << 16;

/**
 * Lowers every node and encodes the model. `name` is for messages; the processor, the device `cpu`,
 * writes outputs where the caller wants them. Throws LMFLOW_ENGINE_COMPILE_FAILED naming the node.
 */
export function compileModel(
  flat: Flat,
  lowerings: Lowerings,
  name: string,
  device?: string,
): Compiled {
  const { graph, nodes } = flat;
  const emit = new Emitter(countUses(flat), device === undefined ? {} : { device });
  const fed = new Map<string, MemoryWeight>();
  const inputs = [...graph.inputs].map(([input, value]) => {
    emit.set(value, inputName(input));
    return valueInfo(inputName(input), value);
  });
  for (const value of leaves(graph, nodes)) emitLeaf(emit, value, fed, inputs);
  lowerNodes(emit, flat, lowerings, name);
  nameOutputs(emit, graph, outputName);
  const outputs = [...graph.outputs].map(([output, value]) => valueInfo(outputName(output), value));
  const copyStop = device === 'cpu' && bytesOf(graph.outputs.values()) >= WORTH_BYTES;
  if (copyStop) outputs.unshift(emitCopyStop(emit));
  return {
    copyStop,
    prepack: emit.prepack,
    model: encodeModel({
      name,
      node: forExecution(
        cleanNodes(
          emit.nodes,
          outputs.map((output) => output.name),
        ),
      ),
      initializer: emit.initializers,
      input: inputs,
      output: outputs,
    }),
    fed,
  };
}

/** Emits every node. Throws LMFLOW_ENGINE_COMPILE_FAILED naming the node. */
export function lowerNodes(
  emit: Emitter,
  { graph, nodes, names }: Flat,
  lowerings: Lowerings,
  name: string,
): void {
  const { absorbed, fused } = planFusions(nodes, graph, emit.uses);
  for (const node of nodes) {
    if (absorbed.has(node)) continue;
    const ours = names.get(node) ?? node.name;
    try {
      emit.named(ours, () => (fused.get(node) ?? lowerings.find(node)!)(emit, node));
    } catch (error) {
      throw error instanceof LMFlowError
        ? error
        : compileFailed(name, `${ours} (${node.op.name})`, error);
    }
  }
}

/** How often each value is read, by nodes and as an output. */
export function countUses({ graph, nodes }: Flat): Map<Value, number> {
  const uses = new Map<Value, number>();
  const count = (value: Value): void => {
    uses.set(value, (uses.get(value) ?? 0) + 1);
  };
  for (const node of nodes) node.inputs.forEach(count);
  for (const value of graph.outputs.values()) count(value);
  return uses;
}

/** The constants and weights that nodes or outputs read. */
export function leaves(graph: Graph, nodes: readonly Node[]): Set<Value> {
  const used = [...nodes.flatMap((node) => node.inputs), ...graph.outputs.values()];
  return new Set(
    used.filter(({ source }) => source.kind === 'constant' || source.kind === 'weight'),
  );
}

function emitLeaf(
  emit: Emitter,
  value: Value,
  fed: Map<string, MemoryWeight>,
  inputs: ValueInfoProto[],
): void {
  const { source, shape, dtype } = value;
  if (source.kind === 'constant') emit.set(value, emit.constant(source.data, shape, dtype));
  if (source.kind !== 'weight') return;
  const name = `weight:${source.name}`;
  emit.set(value, name);
  const { weight } = source;
  if (weight.kind === 'memory' && weight.data.byteLength > EMBEDDED_BYTES && dtype !== 'bfloat16') {
    fed.set(name, weight);
    inputs.push(valueInfo(name, value));
  } else emit.initializers.push(initializer(name, weight));
}

function initializer(name: string, weight: WeightSource): TensorProto {
  const type = { name, dims: weight.shape, dataType: ELEMENT_TYPES[weight.dtype] };
  if (weight.kind === 'memory') {
    const { buffer, byteOffset, byteLength } = weight.data;
    return { ...type, rawData: new Uint8Array(buffer, byteOffset, byteLength) };
  }
  const length = sizeOf(weight.shape) * BYTES[weight.dtype];
  const externalData = [
    { key: 'location', value: externalLocation(weight.path) },
    { key: 'offset', value: String(weight.offset) },
    { key: 'length', value: String(length) },
  ];
  return { ...type, externalData, dataLocation: 1 };
}

// The runtime visits nodes depth first from those nobody consumes, the last of the model first.
// Nodes in reverse make it run what was built first (the loss, then the gradients of the last
// layer) first and everything else no earlier than it is needed. In their own order all gradients
// of parameters would be computed at the very end, with everything they need kept until then.
function forExecution(nodes: readonly NodeProto[]): NodeProto[] {
  return [...nodes].reverse();
}

/**
 * Renames the tensors that are outputs; what cannot be renamed (an input, a constant, a second name
 * of one tensor) is copied.
 */
export function nameOutputs(emit: Emitter, graph: Graph, nameOf: (output: string) => string): void {
  const made = new Set(emit.nodes.flatMap((node) => node.output));
  const renamed = new Map<string, string>();
  for (const [name, value] of graph.outputs) {
    const tensor = emit.tensor(value);
    if (made.has(tensor) && !renamed.has(tensor)) renamed.set(tensor, nameOf(name));
    else emit.nodes.push(identity(tensor, nameOf(name)));
  }
  const rename = (tensor: string): string => renamed.get(tensor) ?? tensor;
  const renameIn = (node: NodeProto): void => {
    node.input = node.input.map(rename);
    node.output = node.output.map(rename);
    for (const { g } of node.attribute) g?.node.forEach(renameIn);
  };
  emit.nodes.forEach(renameIn);
}

function emitCopyStop(emit: Emitter): ValueInfoProto {
  emit.nodes.push({
    name: COPY_STOP,
    opType: 'SequenceEmpty',
    input: [],
    output: [COPY_STOP],
    attribute: [],
  });
  return {
    name: COPY_STOP,
    type: { sequenceType: { elemType: { tensorType: { elemType: ELEMENT_TYPES.float32 } } } },
  };
}

function bytesOf(values: Iterable<Value>): number {
  let bytes = 0;
  for (const { dtype, shape } of values) bytes += sizeOf(shape) * BYTES[dtype];
  return bytes;
}

function identity(input: string, output: string): NodeProto {
  return { name: output, opType: 'Identity', input: [input], output: [output], attribute: [] };
}

function valueInfo(name: string, { dtype, shape }: Value): ValueInfoProto {
  return {
    name,
    type: {
      tensorType: {
        elemType: ELEMENT_TYPES[dtype],
        shape: { dim: shape.map((dimValue) => ({ dimValue })) },
      },
    },
  };
}
