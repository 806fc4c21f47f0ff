// What a value of a Parquet file says, by its column's type: whole numbers and decimals with all
// their digits, floats as floats, and no key that a struct has only because another row has it.
import { jsonFloat, JsonNumber, jsonObject, parseJson } from '@lmflow/sdk';
import type { SchemaTree } from 'hyparquet';

/** A value of a column, below the record itself. */
export function parquetValue(value: unknown, type: SchemaTree): unknown {
  if (isDecimal(type)) return value === null ? null : decimal(value, type);
  switch (typeof value) {
    case 'bigint':
      return wholeNumber(value, type);
    case 'number':
      return /^(?:FLOAT|DOUBLE)$/.test(type.element.type ?? '') ? jsonFloat(value) : value;
    case 'string':
      return type.element.converted_type === 'JSON' ? parseJson(value) : value;
    case 'object':
      return value === null ? null : container(value, type);
    default:
      return value;
  }
}

/** 64 bits as a number where it keeps the digits. */
function wholeNumber(value: bigint, { element }: SchemaTree): number | bigint {
  const signed = element.converted_type === 'UINT_64' ? BigInt.asUintN(64, value) : value;
  const number = Number(signed);
  return Number.isSafeInteger(number) ? number : signed;
}

/** Whether a column has decimals, which come as the whole numbers that are stored. */
export function isDecimal({ element }: SchemaTree): boolean {
  return element.converted_type === 'DECIMAL' || element.logical_type?.type === 'DECIMAL';
}

/** No one writes decimals with more places. */
const LARGEST_SCALE = 1000;

/** A number where it has the same digits, otherwise the digits. */
function decimal(value: unknown, { element }: SchemaTree): unknown {
  if (Array.isArray(value)) return value.map((item) => decimal(item, { element } as SchemaTree));
  const { logical_type: logical } = element;
  const scale = element.scale ?? (logical?.type === 'DECIMAL' ? logical.scale : 0);
  if (!(scale >= 0 && scale <= LARGEST_SCALE)) throw new Error(`a decimal has the scale ${scale}`);
  const stored = value instanceof Uint8Array ? twosComplement(value) : BigInt(value as number);
  const digits = String(stored < 0n ? -stored : stored).padStart(scale + 1, '0');
  const fraction = digits.slice(digits.length - scale).replace(/0+$/, '');
  const whole = digits.slice(0, digits.length - scale);
  const text = `${stored < 0n ? '-' : ''}${whole}${fraction === '' ? '' : `.${fraction}`}`;
  const number = Number(text);
  return String(number) === text ? number : new JsonNumber(text);
}

/** Bytes of a signed whole number, the highest first. */
function twosComplement(bytes: Uint8Array): bigint {
  const unsigned = bytes.reduce((sum, byte) => (sum << 8n) | BigInt(byte), 0n);
  return BigInt.asIntN(8 * bytes.length, unsigned);
}

function container(value: object, type: SchemaTree): unknown {
  if (Array.isArray(value)) return value.map((item) => parquetValue(item, itemType(type)));
  if (Object.getPrototypeOf(value) !== Object.prototype || type.children.length === 0) return value;
  const members = value as Readonly<Record<string, unknown>>;
  const ofMap = mapValueType(type);
  if (ofMap) {
    return jsonObject(
      Object.entries(members).map(([key, member]) => [key, parquetValue(member, ofMap)]),
    );
  }
  return jsonObject(
    type.children.flatMap((child) => {
      const { name } = child.element;
      const member = members[name] ?? undefined;
      return member === undefined ? [] : [[name, parquetValue(member, child)] as const];
    }),
  );
}

/** The type of a list's items: below LIST are a repeated group and, in most files, one element in it. */
function itemType(type: SchemaTree): SchemaTree {
  if (type.element.converted_type !== 'LIST') return type;
  const repeated = type.children[0]!;
  return repeated.children.length === 1 ? repeated.children[0]! : repeated;
}

/** The type of a map's values; undefined where it is no map. A map has the keys of its own row. */
function mapValueType({ element, children }: SchemaTree): SchemaTree | undefined {
  const isMap = /^MAP/.test(element.converted_type ?? '');
  return isMap ? children[0]?.children[1] : undefined;
}
