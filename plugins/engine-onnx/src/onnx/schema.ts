// The part of ONNX's protobuf schema that a tensor program needs, and its encoding with protobufjs.
// Field numbers are those of onnx.proto3. Not with onnx-proto: it needs protobufjs 6, and would bring
// the whole schema.
import protobuf from 'protobufjs/light.js';
import type { DType } from '@lmflow/sdk/graph';

/** ONNX element types (TensorProto.DataType). */
export const ELEMENT_TYPES: Readonly<Record<DType, number>> = {
  float32: 1,
  uint8: 2,
  int8: 3,
  int32: 6,
  int64: 7,
  bool: 9,
  float16: 10,
  bfloat16: 16,
};

/** A constant of a model, with its bytes in the model (`rawData`) or in a file (`externalData`). */
export interface TensorProto {
  name?: string;
  dims: readonly number[];
  dataType: number;
  rawData?: Uint8Array;
  externalData?: readonly { key: string; value: string }[];
  /** 1: the data is in a file. */
  dataLocation?: 1;
}

/** A named setting of a node; `type` says which of the other fields holds it. */
export interface AttributeProto {
  name: string;
  type: number;
  f?: number;
  i?: number;
  s?: Uint8Array;
  /** The body of a Loop or a Scan. */
  g?: GraphProto;
  floats?: readonly number[];
  ints?: readonly number[];
}

/**
 * A call of an operator. Inputs and outputs are names of tensors; an input that is left out is an
 * empty name.
 */
export interface NodeProto {
  name: string;
  opType: string;
  domain?: string;
  input: string[];
  output: string[];
  attribute: AttributeProto[];
}

/** A size, or the name of one that is known at run time only. */
export type DimensionProto = { dimValue: number } | { dimParam: string };

/** Element type and shape of a tensor; without a shape even its rank is unknown. */
export interface TensorTypeProto {
  tensorType: { elemType: number; shape?: { dim: readonly DimensionProto[] } };
}

/** The name and type of an input or output, which is a tensor or a sequence of tensors. */
export interface ValueInfoProto {
  name: string;
  type: TensorTypeProto | { sequenceType: { elemType: TensorTypeProto } };
}

/** The nodes of a model, or of the body of a Loop or a Scan, in the order they may run in. */
export interface GraphProto {
  name: string;
  node: readonly NodeProto[];
  initializer: readonly TensorProto[];
  input: readonly ValueInfoProto[];
  output: readonly ValueInfoProto[];
}

type Field = { readonly id: number; readonly type: string; readonly rule?: 'repeated' };
const one = (id: number, type: string): Field => ({ id, type });
const many = (id: number, type: string): Field => ({ id, type, rule: 'repeated' });

const messages = {
  ModelProto: {
    irVersion: one(1, 'int64'),
    producerName: one(2, 'string'),
    graph: one(7, 'GraphProto'),
    opsetImport: many(8, 'OperatorSetIdProto'),
  },
  OperatorSetIdProto: { domain: one(1, 'string'), version: one(2, 'int64') },
  GraphProto: {
    node: many(1, 'NodeProto'),
    name: one(2, 'string'),
    initializer: many(5, 'TensorProto'),
    input: many(11, 'ValueInfoProto'),
    output: many(12, 'ValueInfoProto'),
  },
  NodeProto: {
    input: many(1, 'string'),
    output: many(2, 'string'),
    name: one(3, 'string'),
    opType: one(4, 'string'),
    attribute: many(5, 'AttributeProto'),
    domain: one(7, 'string'),
  },
  AttributeProto: {
    name: one(1, 'string'),
    f: one(2, 'float'),
    i: one(3, 'int64'),
    s: one(4, 'bytes'),
    g: one(6, 'GraphProto'),
    floats: many(7, 'float'),
    ints: many(8, 'int64'),
    type: one(20, 'int32'),
  },
  TensorProto: {
    dims: many(1, 'int64'),
    dataType: one(2, 'int32'),
    name: one(8, 'string'),
    rawData: one(9, 'bytes'),
    externalData: many(13, 'StringStringEntryProto'),
    dataLocation: one(14, 'int32'),
  },
  StringStringEntryProto: { key: one(1, 'string'), value: one(2, 'string') },
  ValueInfoProto: { name: one(1, 'string'), type: one(2, 'TypeProto') },
  TypeProto: { tensorType: one(1, 'TensorTypeProto'), sequenceType: one(4, 'SequenceTypeProto') },
  SequenceTypeProto: { elemType: one(1, 'TypeProto') },
  TensorTypeProto: { elemType: one(1, 'int32'), shape: one(2, 'TensorShapeProto') },
  TensorShapeProto: { dim: many(1, 'DimensionProto') },
  DimensionProto: { dimValue: one(1, 'int64'), dimParam: one(2, 'string') },
} satisfies Record<string, Record<string, Field>>;

const OPSET = 21;
const IR_VERSION = 10;
let modelType: protobuf.Type | undefined;

/** Bytes of a ModelProto around `graph`. */
export function encodeModel(graph: GraphProto): Uint8Array {
  modelType ??= protobuf.Root.fromJSON({
    nested: Object.fromEntries(
      Object.entries(messages).map(([name, fields]) => [name, { fields }]),
    ),
  }).lookupType('ModelProto');
  return modelType
    .encode({
      irVersion: IR_VERSION,
      producerName: 'lmflow',
      graph,
      opsetImport: [
        { domain: '', version: OPSET },
        { domain: 'com.microsoft', version: 1 },
      ],
    })
    .finish();
}
