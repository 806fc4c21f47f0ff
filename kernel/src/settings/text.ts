// Text from a command line as a value of a key's type. What does not fit stays text, and the schema
// reports it.
import { alternatives, type JsonSchema } from './describe.ts';

/** Whether a flag of this type may stand without a value. */
export function takesNoValue(schema: JsonSchema): boolean {
  return alternatives(schema).some(({ type }) => type === 'boolean');
}

/** Whether the next word can be the value of a flag that may also stand alone. */
export function fitsAfterBoolean(text: string, schema: JsonSchema): boolean {
  if (text === 'true' || text === 'false') return true;
  return alternatives(schema).some((member) =>
    member.type === 'boolean'
      ? false
      : (member.enum?.map(String).includes(text) ??
        (member.const === undefined ||
          JSON.stringify(member.const).replace(/^"|"$/g, '') === text)),
  );
}

/** Whether a repeated flag makes a list. */
export function takesList(schema: JsonSchema): boolean {
  return alternatives(schema).some(({ type }) => type === 'array');
}

/** One or more texts (of a repeated flag) as the value they stand for. */
export function valueOf(texts: readonly string[], schema: JsonSchema): unknown {
  const members = alternatives(schema);
  const list = members.find(({ type }) => type === 'array');
  const text = texts.at(-1)!;
  if (!list) return scalar(text, members);
  if (texts.length > 1) return texts.map((item) => scalar(item, alternatives(list.items ?? {})));
  const json = text.startsWith('[') ? parseJson(text) : undefined;
  if (json !== undefined) return json;
  const single = members.filter((member) => member !== list);
  if (single.length > 0 && (!text.includes(',') || text.startsWith('{'))) {
    const value = scalar(text, single);
    if (value !== text || single.some((member) => fits(text, member))) return value;
  }
  return text
    .split(',')
    .filter((item) => item !== '')
    .map((item) => scalar(item.trim(), alternatives(list.items ?? {})));
}

function scalar(text: string, members: readonly JsonSchema[]): unknown {
  const choices = members.flatMap(
    (member) => member.enum ?? (member.const === undefined ? [] : [member.const]),
  );
  for (const choice of choices) if (String(choice) === text) return choice;
  const types = new Set(members.map(({ type }) => type));
  // a schema without a type takes anything (z.unknown, z.preprocess)
  const any = members.some(
    (member) =>
      member.type === undefined && member.enum === undefined && member.const === undefined,
  );
  if ((types.has('boolean') || any) && (text === 'true' || text === 'false')) {
    return text === 'true';
  }
  if ((types.has('number') || types.has('integer') || any) && isNumber(text)) return Number(text);
  if ((types.has('null') || any) && text === 'null') return null;
  if ((types.has('object') || any) && /^[[{]/.test(text)) return parseJson(text) ?? text;
  return text;
}

// Whether text as it is can be of this type: any text, one of the choices, or anything at all.
function fits(text: string, { type, enum: choices, const: only }: JsonSchema): boolean {
  if (choices ?? only) return [...(choices ?? []), only].includes(text);
  return type === 'string' || type === undefined;
}

function isNumber(text: string): boolean {
  return /^[+-]?(\d[\d_]*\.?\d*|\.\d+)(e[+-]?\d+)?$/i.test(text) && Number.isFinite(Number(text));
}

function parseJson(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}
