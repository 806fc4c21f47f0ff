// What a zod object says about its keys, for flags, help and messages: through its JSON schema, so
// that any schema works.
import { z } from 'zod';

/** The part of JSON schema that is used here. */
export interface JsonSchema {
  readonly type?: string | readonly string[];
  readonly enum?: readonly unknown[];
  readonly const?: unknown;
  readonly anyOf?: readonly JsonSchema[];
  readonly oneOf?: readonly JsonSchema[];
  readonly items?: JsonSchema;
  readonly properties?: Readonly<Record<string, JsonSchema>>;
  readonly required?: readonly string[];
  readonly default?: unknown;
  readonly description?: string;
  /** The registry whose rows are values, by its name: `.meta({ table: OPTIMIZERS.name })`. */
  readonly table?: string;
}

/** One key of a schema. */
export interface Field {
  readonly key: string;
  readonly description: string;
  readonly schema: JsonSchema;
  readonly default: unknown;
  readonly required: boolean;
}

/** The keys of an options schema, in the order they are written. */
export function describeFields(schema: z.ZodObject): Field[] {
  const json = z.toJSONSchema(schema, {
    io: 'input',
    unrepresentable: 'any',
    cycles: 'ref',
  }) as JsonSchema;
  const required = new Set(json.required ?? []);
  return Object.keys(schema.shape).map((key) => {
    const field = json.properties?.[key] ?? {};
    return {
      key,
      description: field.description ?? '',
      schema: field,
      default: field.default,
      required: required.has(key),
    };
  });
}

/** Whether a schema takes keys that it does not name. */
export function isOpen(schema: z.ZodObject): boolean {
  const catchall = schema.def.catchall;
  return catchall !== undefined && catchall._zod.def.type !== 'never';
}

/** The alternatives of a union, flattened; any other schema is the only alternative. */
export function alternatives(schema: JsonSchema): JsonSchema[] {
  const members = schema.anyOf ?? schema.oneOf;
  if (members) return members.flatMap(alternatives);
  if (Array.isArray(schema.type)) return schema.type.map((type: string) => ({ ...schema, type }));
  return [schema];
}

/** For help: `number`, `cosine|linear`, `string[]`. */
export function shortType(schema: JsonSchema): string {
  const names = alternatives(schema).flatMap((member) => {
    if (member.enum) return member.enum.map(String);
    if (member.const !== undefined) return [JSON.stringify(member.const).replace(/^"|"$/g, '')];
    if (member.type === 'array') return [listType(member.items)];
    return [typeof member.type === 'string' ? member.type : 'value'];
  });
  return [...new Set(names)].join('|');
}

function listType(items: JsonSchema | undefined): string {
  const inner = shortType(items ?? {});
  return inner.includes('|') ? `(${inner})[]` : `${inner}[]`;
}

/** For messages: `a number`, `one of "cosine", "linear"`, `a string or a list of strings`. */
export function longType(schema: JsonSchema): string {
  const choices: string[] = [];
  const names: string[] = [];
  for (const member of alternatives(schema)) {
    if (member.enum) choices.push(...member.enum.map((value) => JSON.stringify(value)));
    else if (member.const !== undefined) choices.push(JSON.stringify(member.const));
    else names.push(nameOf(member));
  }
  if (choices.length > 0) {
    names.push(choices.length === 1 ? choices[0]! : `one of ${choices.join(', ')}`);
  }
  return [...new Set(names)].join(' or ');
}

const typeNames: Readonly<Record<string, string>> = {
  number: 'a number',
  integer: 'a whole number',
  string: 'a string',
  boolean: 'true or false',
  object: 'an object',
  null: 'null',
};

function nameOf(schema: JsonSchema): string {
  if (schema.type === 'array') {
    const inner = schema.items ? longType(schema.items) : '';
    if (inner === '') return 'a list';
    if (inner.includes(' or ')) return `a list (of ${inner})`;
    return `a list of ${inner.replace(/^an? (whole )?(\w+)$/, '$1$2s')}`;
  }
  return typeof schema.type === 'string'
    ? (typeNames[schema.type] ?? schema.type)
    : 'another value';
}
