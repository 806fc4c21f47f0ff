// A command's own options as an application gives them to kernel.run: other spellings, refusals,
// and values against the schema. Flags are in flags.ts.
import { z } from 'zod';
import type { ContributedCommand } from '../context.ts';
import { configInvalid, optionUnsupported, unknownKey } from '../errors.ts';
import { describeIssues } from './issues.ts';
import { groupOf, type KeyTable } from './keys.ts';
import { isAccepted, reasonOf } from './refusals.ts';

/** The options of a command, parsed. Throws LMFLOW_OPTION_UNSUPPORTED, LMFLOW_CONFIG_UNKNOWN_KEY. */
export function parseOptions(
  { spec }: ContributedCommand,
  options: Readonly<Record<string, unknown>>,
  table: KeyTable,
): Record<string, unknown> {
  const group = groupOf(spec.name, { schema: spec.options ?? z.object({}) });
  const origin = `options of ${spec.name}`;
  const values = Object.fromEntries(
    Object.entries(options).map(([key, value]) => [spec.aliases?.[key] ?? key, value]),
  );
  for (const [key, value] of Object.entries(values)) {
    const refusal = spec.unsupported?.[key];
    if (refusal === undefined) continue;
    if (!isAccepted(refusal, value, table)) {
      throw optionUnsupported(key, origin, reasonOf(refusal));
    }
    delete values[key];
  }
  const unknown = Object.keys(values).find((key) => !group.keys.has(key));
  if (unknown !== undefined) {
    const known = [...group.keys.keys()].join(', ');
    throw unknownKey(
      unknown,
      origin,
      known === '' ? `Leave it out: ${spec.name} has no options.` : `Choose one of ${known}.`,
    );
  }
  const parsed = group.spec.schema.safeParse(values, { reportInput: true });
  if (parsed.success) return parsed.data;
  throw configInvalid(
    describeIssues(
      parsed.error.issues,
      group,
      new Map(Object.entries(values).map(([key, value]) => [key, { value, origin }])),
    ),
  );
}
