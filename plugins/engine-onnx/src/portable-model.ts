// An ONNX model for other runtimes: inputs and outputs keep their names, sizes may be free, nodes are
// in order, and the caller decides in which files the weights lie. Sessions here use
// compiled-model.ts.
import { token, type Token } from '@lmflow/sdk';
import type { Graph, Node, Shape, DType, WeightSource } from '@lmflow/sdk/graph';
import { countUses, leaves, lowerNodes, nameOutputs } from './compiled-model.ts';
import { sizeFixed } from './errors.ts';
import { flatten } from './flat-graph.ts';
import type { Lowerings } from './lowerings/lowering.ts';
import { rotary } from './lowerings/rope.ts';
import { Emitter } from './onnx/emitter.ts';
import { FreeSizes, type FreeSize } from './onnx/dynamic-sizes.ts';
import { cleanNodes } from './onnx/node-cleanup.ts';
import {
  ELEMENT_TYPES,
  encodeModel,
  type TensorProto,
  type ValueInfoProto,
} from './onnx/schema.ts';

/** A weight or constant, which may lie in a file beside the model. */
export interface PortableTensor {
  readonly name: string;
  readonly dtype: DType;
  readonly shape: Shape;
  /** A weight of the graph, or a constant's bytes. */
  readonly source: WeightSource | Uint8Array;
}

/** Where a tensor's bytes lie: in a file, named relative to the model's. */
export interface ExternalPlace {
  readonly location: string;
  readonly offset: number;
  readonly length: number;
}

/**
 * An ONNX model for other runtimes, whose constants can be stored in files of the caller's choice.
 */
export interface PortableModel {
  readonly tensors: readonly PortableTensor[];
  /** The bytes of the model; they hold the tensors without a place, which must be constants. */
  encode(places: ReadonlyMap<string, ExternalPlace>): Uint8Array;
}

/** The name of the model, the lowerings to use, and the sizes that stay free. */
export interface PortableRequest {
  /** The model's name, also in messages. */
  readonly name: string;
  readonly free: readonly FreeSize[];
}

/**
 * Lowers a graph traced with stand-ins for its free sizes. Throws LMFLOW_ENGINE_SIZE_FIXED, with the
 * node, where a stand-in is left.
 */
export type PortableModelMaker = (graph: Graph, request: PortableRequest) => PortableModel;

/** Makes portable models with the lowerings of this engine and of the plugins that are loaded. */
export const PORTABLE_MODEL: Token<PortableModelMaker> = token(
  '@lmflow/plugin-engine-onnx:portable-model',
  '@lmflow/plugin-engine-onnx',
);

/** The PortableModelMaker of this engine, with these lowerings. */
export function portableModel(
  graph: Graph,
  { name, free: sizes }: PortableRequest,
  lowerings: Lowerings,
): PortableModel {
  const table = withoutLengths(lowerings);
  const flat = flatten(graph, table);
  const free = new FreeSizes(sizes);
  const emit = new Emitter(countUses(flat), { free });
  const tensors: PortableTensor[] = [];
  for (const [input, value] of flat.graph.inputs) emit.set(value, input);
  for (const value of leaves(flat.graph, flat.nodes)) {
    const { source, shape, dtype } = value;
    if (source.kind === 'constant') emit.set(value, emit.constant(source.data, shape, dtype));
    if (source.kind !== 'weight') continue;
    emit.set(value, source.name);
    tensors.push({ name: source.name, dtype, shape, source: source.weight });
  }
  lowerNodes(emit, flat, table, name);
  nameOutputs(emit, flat.graph, (output) => output);
  const outputs = [...flat.graph.outputs.keys()];
  const node = cleanNodes(emit.nodes, outputs);
  const constants = emit.initializers.filter((constant) =>
    node.some(({ input }) => input.includes(constant.name!)),
  );
  const [left] = free.leftovers(node, constants);
  if (left) throw sizeFixed(name, left.where, left.number);
  const info = (values: Graph['inputs']): ValueInfoProto[] =>
    [...values].map(([value, { dtype, shape }]) => ({
      name: value,
      type: {
        tensorType: {
          elemType: ELEMENT_TYPES[dtype],
          shape: { dim: shape.map((size) => free.dimension(size)) },
        },
      },
    }));
  for (const { name: constant, dims, dataType, rawData } of constants) {
    tensors.push({ name: constant!, dtype: dtypeOf(dataType), shape: dims, source: rawData! });
  }
  return {
    tensors,
    encode: (places) =>
      encodeModel({
        name,
        node,
        initializer: tensors.map((tensor) => initializer(tensor, places.get(tensor.name))),
        input: info(flat.graph.inputs),
        output: info(flat.graph.outputs),
      }),
  };
}

/** Uses `rope`'s kernel for any length: where lengths are free, the runtime checks them itself. */
function withoutLengths(lowerings: Lowerings): Lowerings {
  const { lower } = rotary['rope']!;
  return { find: (node: Node) => (node.op.name === 'rope' ? lower : lowerings.find(node)) };
}

function initializer(
  { name, dtype, shape, source }: PortableTensor,
  place: ExternalPlace | undefined,
): TensorProto {
  const type = { name, dims: shape, dataType: ELEMENT_TYPES[dtype] };
  if (place) {
    return {
      ...type,
      dataLocation: 1,
      externalData: Object.entries(place).map(([key, value]) => ({ key, value: String(value) })),
    };
  }
  if (!(source instanceof Uint8Array)) throw new Error(`the weight ${name} has no place`);
  return { ...type, rawData: source };
}

function dtypeOf(elementType: number): DType {
  return (Object.keys(ELEMENT_TYPES) as DType[]).find(
    (dtype) => ELEMENT_TYPES[dtype] === elementType,
  )!;
}
