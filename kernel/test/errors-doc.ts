// docs/errors.md, made from the sources: every quoted LMFLOW_* code with the TSDoc of the builder
// it stands in. `npm run docs` writes it.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import type { ErrorKind } from '@lmflow/sdk';
import { exitCodeOfKind } from '../src/exit-codes.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
/** The file that is written and tested. */
export const errorsFile = join(root, 'docs/errors.md');

interface Documented {
  readonly code: string;
  /** Of the functions that make errors of this code: one, or a test fails. */
  readonly kinds: readonly ErrorKind[];
  /** When it happens, from the TSDoc of each builder; empty for one that has none. */
  readonly sentences: readonly string[];
}

export function packages(): string[] {
  const inside = (folder: string): string[] =>
    readdirSync(join(root, folder)).map((name) => `${folder}/${name}`);
  return ['kernel', 'sdk', ...inside('plugins'), ...inside('presets')].filter((folder) =>
    existsSync(join(root, folder, 'src')),
  );
}

// The kernel names others' codes too (for exit codes): its own are in errors/.
function sources(folder: string): string[] {
  const base = join(root, folder, folder === 'kernel' ? 'src/errors' : 'src');
  return readdirSync(base, { recursive: true, encoding: 'utf8' })
    .filter((name) => name.endsWith('.ts'))
    .sort()
    .map((name) => readFileSync(join(base, name), 'utf8'));
}

/** Every code that a package's sources make errors with, by package folder. */
export function codesOf(folder: string): Documented[] {
  const found = new Map<string, Set<string>>();
  const kinds = new Map<string, Set<ErrorKind>>();
  for (const text of sources(folder)) {
    for (const match of text.matchAll(
      /\b(usage|input|failure|interrupted)Error\(\s*'(LMFLOW_\w+)'/g,
    )) {
      const [, kind, code] = match as unknown as [string, ErrorKind, string];
      const said = found.get(code) ?? new Set();
      const sentence = documentation(text.slice(0, match.index));
      said.add(capital(sentence.replace(new RegExp(`^${code}: `), '')));
      found.set(code, said);
      kinds.set(code, (kinds.get(code) ?? new Set()).add(kind));
    }
  }
  return [...found]
    .sort(([a], [b]) => a.localeCompare(b))
    .map(([code, said]) => ({
      code,
      kinds: [...(kinds.get(code) ?? [])],
      sentences: [...said],
    }));
}

// The TSDoc of the declaration that a place is in, its first paragraph.
function documentation(before: string): string {
  const start =
    [...before.matchAll(/^(?:export )?(?:async )?(?:function|const|class)\b/gm)].at(-1)?.index ?? 0;
  const comment = /\/\*\*((?:(?!\*\/)[^])*)\*\/\s*$/.exec(before.slice(0, start));
  const text = comment?.[1]?.replace(/^\s*\* ?/gm, '').split(/\n\s*\n/)[0] ?? '';
  return text.replace(/\s+/g, ' ').replaceAll('|', '\\|').trim();
}

// "a tap threw" -> "A tap threw", but `resumeFromCheckpoint` and config.json stay as they are.
function capital(text: string): string {
  return /^[a-z]+[ ,]/.test(text) ? text[0]!.toUpperCase() + text.slice(1) : text;
}

/** The whole text of docs/errors.md. */
export function errorsDocument(): string {
  const tables = packages().flatMap((folder) => {
    const codes = codesOf(folder);
    if (codes.length === 0) return [];
    const { name } = JSON.parse(readFileSync(join(root, folder, 'package.json'), 'utf8')) as {
      name: string;
    };
    return [
      '',
      `## ${name}`,
      '',
      '| Code | Exit code | When |',
      '| --- | --- | --- |',
      ...codes.map(
        ({ code, kinds, sentences }) =>
          `| \`${code}\` | ${kinds.map(exitCodeOfKind).join(', ')} | ${sentences.join(' ')} |`,
      ),
    ];
  });
  return `${introduction}${tables.join('\n')}\n`;
}

// above: tables, below: what people read first
const introduction = `# Errors

<!-- Written by npm run docs; a test compares it with the sources. -->

What can be expected to go wrong is an \`LMFlowError\` with a stable \`code\`, a \`message\` (what happened, where, to which value) and mostly a
\`hint\` (how to mend it). Where it came out of a hook it also has \`plugin\` and \`hook\`; what caused it is its \`cause\`. The command prints

\`\`\`
error LMFLOW_CONFIG_INVALID: lora.r = 0 (from lmflow.config.ts) must be at least 1
\`\`\`

without a stack; \`--verbose\` adds it. With \`--json\` it is one line of JSON on stderr:
\`{"type":"error","kind":"usage","code":"LMFLOW_CONFIG_INVALID","message":"..."}\`. Anything else that is thrown is a bug, is printed as one with its stack,
and ends with code 1.

## Exit codes

| Exit code | Meaning |
| --- | --- |
| 0 | It worked. |
| 1 | It did not work, and not because of what was given: a failure at run time, or a bug. \`lmflow doctor\`: there is a problem. |
| 2 | Wrong usage: flags, configuration, plugins that are missing or do not fit. |
| 3 | Bad input: a model, a data set, an adapter, a checkpoint. |
| 130 | Interrupted by Ctrl-C; what the command saves in that case is saved. A second Ctrl-C ends at once, saving nothing. |
| 143 | The same for SIGTERM. |

The exit code follows from the error's \`kind\`: \`usage\` (2), \`input\` (3), \`failure\` (1) or \`interrupted\` (130). A plugin's error has its kind
from the function that makes it: \`usageError\`, \`inputError\`, \`failureError\`, \`interruptedError\` of \`@lmflow/sdk\`. A command may return a
number of its own instead.
`;
