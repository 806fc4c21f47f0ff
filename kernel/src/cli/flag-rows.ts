// One flag as a row of help.
import { alternatives, shortType, type Field } from '../settings/describe.ts';

/** A flag with its value, and what it does: `--lora-r <integer>`. */
export function flagRow(flag: string, field: Field): readonly [string, string] {
  const types = alternatives(field.schema);
  const onlySwitch = types.length === 1 && types[0]!.type === 'boolean';
  const left = onlySwitch
    ? `--${field.default === true ? '[no-]' : ''}${flag}`
    : `--${flag} ${valueName(field)}`;
  const notes = [
    ...(field.default !== undefined && !(onlySwitch && field.default === false)
      ? [`default ${text(field.default)}`]
      : []),
    ...(field.required ? ['required'] : []),
  ];
  return [left, `${field.description}${notes.length > 0 ? ` [${notes.join(', ')}]` : ''}`];
}

function valueName(field: Field): string {
  const type = shortType(field.schema);
  return type.length > 40 ? '<value>' : `<${type}>`;
}

function text(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}
