// The tables of options in the READMEs, made from the plugins' own schemas: every option with its
// type, default and description, the aliases, and the flags of the plugin's commands.
import type { OptionsSpec } from '@lmflow/sdk';
import type { z } from 'zod';
import { describeFields, shortType, type Field } from '../../kernel/src/settings/describe.ts';
import { kebab } from '../../kernel/src/settings/names.ts';

/** A command's name and the flags that it declares itself. */
export interface CommandFlags {
  readonly name: string;
  readonly options?: z.ZodObject;
}

const start = '<!-- options: written by npm run docs -->';
const end = '<!-- /options -->';

/** The tables of one package as Markdown; empty where it declares nothing. */
export function optionsTables(
  spec: OptionsSpec | undefined,
  commands: readonly CommandFlags[],
): string {
  const title = spec?.section === undefined ? 'Option' : `Option of \`${spec.section}\``;
  return [
    ...(spec ? [table(title, describeFields(spec.schema), (key) => key)] : []),
    ...(spec?.aliases ? [aliases(spec.aliases)] : []),
    ...commands.flatMap(({ name, options }) => (options ? flags(name, options, spec) : [])),
  ]
    .filter((part) => part !== '')
    .join('\n\n');
}

/** A README with its block of options replaced; undefined where it has no block. */
export function withOptions(readme: string, tables: string): string | undefined {
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  if (from < 0 || to < from) return undefined;
  return `${readme.slice(0, from)}${start}\n\n${tables}\n\n${readme.slice(to)}`;
}

/** A README without its block of options. */
export function withoutOptions(readme: string): string {
  const [from, to] = [readme.indexOf(start), readme.indexOf(end)];
  return from < 0 || to < from ? readme : readme.slice(0, from) + readme.slice(to + end.length);
}

// Flags that repeat an option of the section word for word are only named.
function flags(name: string, options: z.ZodObject, spec: OptionsSpec | undefined): string[] {
  const section = new Map(
    (spec ? describeFields(spec.schema) : []).map(({ key, description }) => [key, description]),
  );
  const fields = describeFields(options);
  const repeated = fields.filter(({ key, description }) => section.get(key) === description);
  const own = fields.filter((field) => !repeated.includes(field));
  const names = repeated.map(({ key }) => code(flag(key))).join(', ');
  return [
    table(`Flag of \`lmflow ${name}\``, own, flag),
    names === '' ? '' : `\`lmflow ${name}\` also takes, without the section's name: ${names}.`,
  ];
}

function flag(key: string): string {
  return `--${kebab(key)}`;
}

function table(title: string, fields: readonly Field[], named: (key: string) => string): string {
  if (fields.length === 0) return '';
  return [
    `| ${title} | Type | Default | Description |`,
    '| --- | --- | --- | --- |',
    ...fields.map((field) => {
      const cells = [code(named(field.key)), code(shortType(field.schema)), standard(field)];
      return `| ${cells.join(' | ')} | ${field.description.replaceAll('|', '\\|')} |`;
    }),
  ].join('\n');
}

function standard(field: Field): string {
  if (field.required) return 'required';
  return field.default === undefined ? '' : code(JSON.stringify(field.default));
}

function code(text: string): string {
  return `\`${text.replaceAll('|', '\\|')}\``;
}

function aliases(byAlias: Readonly<Record<string, string>>): string {
  const byKey = new Map<string, string[]>();
  for (const [alias, key] of Object.entries(byAlias)) {
    byKey.set(key, [...(byKey.get(key) ?? []), alias]);
  }
  const groups = [...byKey].map(
    ([key, spellings]) => `${spellings.map(code).join(', ')} for ${code(key)}`,
  );
  return groups.length === 0 ? '' : `Aliases: ${groups.join('; ')}.`;
}
