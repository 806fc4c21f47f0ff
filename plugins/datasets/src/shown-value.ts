// How a value of a record or a setting looks in a message.
import { isFields, type RecordFields } from '@lmflow/sdk';

/** How a value looks in a message; of a large one only the beginning is looked at. */
export function shown(value: unknown): string {
  if (value === undefined) return 'nothing';
  if (typeof value === 'bigint') return String(value).slice(0, 80);
  let left = 40;
  const beginning = (_key: string, member: unknown): unknown => {
    if (left-- < 0) return undefined;
    if (typeof member === 'string') return member.slice(0, 80);
    if (typeof member === 'bigint') return Number(member);
    if (Array.isArray(member)) return (member as unknown[]).slice(0, Math.max(0, left));
    return isFields(member) ? firstMembers(member, left) : member;
  };
  const text = Array.isArray(value)
    ? `a list of ${value.length}`
    : (JSON.stringify(value, beginning) ?? typeof value);
  return text.length > 80 ? `${text.slice(0, 77)}...` : text;
}

function firstMembers(fields: RecordFields, most: number): RecordFields {
  const first: Record<string, unknown> = {};
  for (const key in fields) {
    if (most-- <= 0) break;
    first[key] = fields[key];
  }
  return first;
}
