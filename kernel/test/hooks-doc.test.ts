// docs/hooks.md against the contract (sdk/src/hooks.ts), the kernel's hooks, and the taps and calls
// in the plugins.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { modelPhases } from '@lmflow/sdk';
import { createTestKernel } from '../src/testing/index.ts';

const root = fileURLToPath(new URL('../..', import.meta.url));
const page = readFileSync(join(root, 'docs/hooks.md'), 'utf8');
const contract = readFileSync(join(root, 'sdk/src/hooks.ts'), 'utf8');
const body = contract.slice(contract.indexOf('export interface Hooks {'));

const declared = new Map(
  [...body.matchAll(/^ {2}readonly (on\w+): (.+);$/gm)].map(([, name, type]) => [name!, type!]),
);
const documented = new Map(
  [...page.matchAll(/^### (on\w+)\n([^#]*)/gm)].map(([, name, text]) => [name!, text!]),
);

const kinds: Readonly<Record<string, string>> = {
  SyncHook: 'synchronous',
  SyncWaterfallHook: 'synchronous, waterfall',
  AsyncSeriesHook: 'asynchronous, in series',
  AsyncSeriesWaterfallHook: 'asynchronous, in series, waterfall',
  MiddlewareHook: 'asynchronous, middleware',
  PhasedHook: 'asynchronous, in phases',
};

test('each hook of the contract is documented, and no other', () => {
  assert.ok(declared.size >= 14);
  assert.equal([...documented.keys()].sort(), [...declared.keys()].sort());
});

for (const [name, type] of declared) {
  test(`${name}: type, kind, when, who`, () => {
    const text = documented.get(name) ?? '';
    const row = (title: string): string =>
      new RegExp(`^\\| ${title} \\| (.+) \\|$`, 'm').exec(text)?.[1] ?? '';
    assert.is(row('Type'), `\`${type}\``);
    assert.ok(row('Kind').startsWith(kinds[/^\w+/.exec(type)![0]]!), row('Kind'));
    assert.ok(row('Called when').length > 20);
    assert.ok(row('Who taps it').length > 20);
  });
}

test('the phases of a model are documented, in order', () => {
  const rows = [...page.matchAll(/^\| `(\w+)` \| [A-Z]/gm)].map(([, phase]) => phase);
  assert.equal(rows, [...modelPhases]);
});

test('the kernel makes exactly these hooks, of these kinds', async () => {
  const { kernel } = await createTestKernel();
  const made = Object.entries(kernel.hooks).map(
    ([name, hook]) => [name, (hook as { kind: string }).kind] as const,
  );
  const kindOf = (type: string): string =>
    new RegExp(`interface ${/^\w+/.exec(type)![0]}<[^{]*{\n {2}readonly kind: '([\\w-]+)'`).exec(
      contract,
    )![1]!;
  assert.equal(new Map(made), new Map([...declared].map(([name, type]) => [name, kindOf(type)])));
  await kernel.close();
});

test('plugins that tap or call a hook are named', () => {
  for (const folder of readdirSync(join(root, 'plugins'))) {
    const { name } = JSON.parse(
      readFileSync(join(root, 'plugins', folder, 'package.json'), 'utf8'),
    ) as { name: string };
    const source = join(root, 'plugins', folder, 'src');
    for (const file of readdirSync(source, { recursive: true, encoding: 'utf8' }).filter((path) =>
      path.endsWith('.ts'),
    )) {
      for (const [, hook, use] of readFileSync(join(source, file), 'utf8').matchAll(
        /hooks\.(on[A-Z]\w*)\.(tap|promise|call)\(/g,
      )) {
        const row = use === 'tap' ? 'Who taps it' : 'Called when';
        const text = documented.get(hook!);
        if (text === undefined) continue; // a hook that a plugin defines
        const line = text.split('\n').find((candidate) => candidate.startsWith(`| ${row}`)) ?? '';
        assert.ok(
          line.includes(name),
          `docs/hooks.md, ${hook}, "${row}" does not name ${name} (${file})`,
        );
      }
    }
  }
});

test.run();
