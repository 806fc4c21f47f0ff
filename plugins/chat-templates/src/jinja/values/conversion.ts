// JavaScript's values -> a template's: what JSON can hold.
import { JsonNumber } from '@lmflow/sdk';
import { unsupported } from '../fault.ts';
import { floatText } from './numbers.ts';
import { Dict, List, PythonObject, WrittenNumber, type Value } from './value.ts';

/** A whole number is an int up to 2 ** 53, as its digits are known; beyond, it is a float. */
export function toValue(value: unknown): Value {
  if (value === null || value === undefined) return null;
  switch (typeof value) {
    case 'string':
    case 'boolean':
    case 'bigint':
      return value;
    case 'number':
      return Number.isSafeInteger(value) ? BigInt(value) : value;
    case 'object':
      return toObject(value);
    default:
      throw unsupported(`a ${typeof value} as a value`);
  }
}

/** A float that Python prints as it is written is one; others print as they are written too. */
function written({ text }: JsonNumber): Value {
  const number = new WrittenNumber(text);
  const same = typeof number.number === 'number' && floatText(number.number) === text;
  return same ? number.number : number;
}

function toObject(value: object): Value {
  if (value instanceof PythonObject) return value;
  if (value instanceof JsonNumber) return written(value);
  if (Array.isArray(value)) return new List(value.map(toValue));
  const entries = Object.entries(value).filter(([, each]) => each !== undefined);
  return new Dict(entries.map(([key, each]) => [key, toValue(each)] as const));
}
