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
const single = (id: number, type: string): Field => ({ id, type });
const repeated = (id: number, type: string): Field => ({ id, type, rule: 'repeated' });

const messages = {
  ModelProto: {
    irVersion: single(1, 'int64'),
    producerName: single(2, 'string'),
    graph: single(7, 'GraphProto'),
    opsetImport: repeated(8, 'OperatorSetIdProto'),
  },
  OperatorSetIdProto: { domain: single(1, 'string'), version: single(2, 'int64') },
  GraphProto: {
    node: repeated(1, 'NodeProto'),
    name: single(2, 'string'),
    initializer: repeated(5, 'TensorProto'),
    input: repeated(11, 'ValueInfoProto'),
    output: repeated(12, 'ValueInfoProto'),
  },
  NodeProto: {
    input: repeated(1, 'string'),
    output: repeated(2, 'string'),
    name: single(3, 'string'),
    opType: single(4, 'string'),
    attribute: repeated(5, 'AttributeProto'),
    domain: single(7, 'string'),
  },
  AttributeProto: {
    name: single(1, 'string'),
    f: single(2, 'float'),
    i: single(3, 'int64'),
    s: single(4, 'bytes'),
    g: single(6, 'GraphProto'),
    floats: repeated(7, 'float'),
    ints: repeated(8, 'int64'),
    type: single(20, 'int32'),
  },
  TensorProto: {
    dims: repeated(1, 'int64'),
    dataType: single(2, 'int32'),
    name: single(8, 'string'),
    rawData: single(9, 'bytes'),
    externalData: repeated(13, 'StringStringEntryProto'),
    dataLocation: single(14, 'int32'),
  },
  StringStringEntryProto: { key: single(1, 'string'), value: single(2, 'string') },
  ValueInfoProto: { name: single(1, 'string'), type: single(2, 'TypeProto') },
  TypeProto: {
    tensorType: single(1, 'TensorTypeProto'),
    sequenceType: single(4, 'SequenceTypeProto'),
  },
  SequenceTypeProto: { elemType: single(1, 'TypeProto') },
  TensorTypeProto: { elemType: single(1, 'int32'), shape: single(2, 'TensorShapeProto') },
  TensorShapeProto: { dim: repeated(1, 'DimensionProto') },
  DimensionProto: { dimValue: single(1, 'int64'), dimParam: single(2, 'string') },
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
