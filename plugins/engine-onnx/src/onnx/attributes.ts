// Attributes of ONNX nodes from plain values.
import type { AttributeProto, GraphProto } from './schema.ts';

/**
 * An integer where `Number.isInteger`; write `{ float: 1 }` for a float that happens to be whole.
 */
export type AttributeValue =
  number | string | readonly number[] | { readonly float: number } | { readonly graph: GraphProto };

/** AttributeProtos of a plain object. */
export function attributes(values: Readonly<Record<string, AttributeValue>>): AttributeProto[] {
  return Object.entries(values).map(([name, value]) => attribute(name, value));
}

function attribute(name: string, value: AttributeValue): AttributeProto {
  if (typeof value === 'string') return { name, type: 3, s: new TextEncoder().encode(value) };
  if (typeof value === 'number') {
    return Number.isInteger(value) ? { name, type: 2, i: value } : { name, type: 1, f: value };
  }
  if ('float' in value) return { name, type: 1, f: value.float };
  if ('graph' in value) return { name, type: 5, g: value.graph };
  return { name, type: 7, ints: value };
}
