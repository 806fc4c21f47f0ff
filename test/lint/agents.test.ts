// What coding agents read, llms.txt and the skill: every command, flag, option and preset that they
// name exists, and llms.txt names every command.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { documentedPackages } from '../docs/packages.ts';

const root = new URL('../../', import.meta.url);
const read = (file: string): string => readFileSync(new URL(file, root), 'utf8');
const FILES = ['llms.txt', '.claude/skills/lmflow/SKILL.md'];
const BUILT_IN = ['plugins', 'inspect', 'doctor', 'init', 'completion'];
const EVERYWHERE = ['config', 'preset', 'plugin', 'cwd', 'json', 'help', 'version'];

const commands = [
  ...BUILT_IN,
  ...readdirSync(new URL('plugins/', root)).flatMap((name) => {
    const { lmflow } = JSON.parse(read(`plugins/${name}/package.json`)) as {
      lmflow?: { commands?: Record<string, string> };
    };
    return Object.keys(lmflow?.commands ?? {});
  }),
];
const { keys, flags } = namesIn((await documentedPackages()).map(({ tables }) => tables));

/** Options as `lora.r`, and flags without dashes, of the tables in READMEs. */
function namesIn(tables: readonly string[]): { keys: Set<string>; flags: Set<string> } {
  const found = { keys: new Set<string>(['presets', 'plugins']), flags: new Set(EVERYWHERE) };
  let section = '';
  for (const line of tables.join('\n').split('\n')) {
    const title = /^\| (?:Option(?: of `(\w+)`)?|Flag of .*?) \|/.exec(line);
    if (title) section = title[1] ?? '';
    const [, name] = /^\| `([^`]+)` \|/.exec(line) ?? [];
    if (name?.startsWith('--') === true) found.flags.add(name.slice(2));
    else if (name !== undefined) {
      const key = section === '' ? name : `${section}.${name}`;
      found.keys.add(key).add(section);
      found.flags.add(
        key.replaceAll('.', '-').replaceAll(/[A-Z]/g, (one) => `-${one.toLowerCase()}`),
      );
    }
    for (const [, flag] of line.matchAll(/(?<=also takes.*)`--([\w-]+)`/g)) found.flags.add(flag!);
  }
  return found;
}

test('the tables are read', () => {
  assert.ok(keys.has('lora.r') && keys.has('learningRate') && keys.size > 150);
  assert.ok(flags.has('lora-r') && flags.has('metric') && !flags.has('made-up'));
});

for (const file of FILES) {
  const text = read(file);
  test(`${file}: commands exist`, () => {
    const named = [...text.matchAll(/lmflow ([a-z][a-z-]*)/g)].map(([, name]) => name!);
    assert.ok(named.length > 5);
    assert.equal(
      named.filter((name) => !commands.includes(name)),
      [],
    );
  });

  test(`${file}: flags exist`, () => {
    const named = [...text.matchAll(/--([a-z][\w-]*)/g)].map(([, name]) => name!);
    assert.ok(named.length > 5);
    assert.equal(
      named.filter((name) => !flags.has(name)),
      [],
    );
  });

  test(`${file}: options in configurations exist`, () => {
    const blocks = [...text.matchAll(/(?:defineConfig|createKernel)\((\{[^]*?\})\);/g)];
    const named = blocks.flatMap(([, block]) => optionsIn(block!));
    assert.equal(
      named.filter((name) => !keys.has(name)),
      [],
    );
    assert.ok(named.length > 5 || !file.endsWith('.md'));
  });

  test(`${file}: presets, packages and files exist`, () => {
    const presets = [
      ...text.matchAll(/--preset ([a-z][\w-]*)|@lmflow\/preset-([\w-]+)|presets: \['([\w-]+)'/g),
    ].map((match) => match.slice(1).find((name) => name !== undefined)!);
    assert.ok(presets.length > 2);
    const missing = presets.filter((name) => !existsSync(new URL(`presets/${name}`, root)));
    const paths = [...text.matchAll(/\]\(([^)]+)\)|`((?:docs|plugins)\/[^`]+\.md)`/g)].map(
      ([, link, path]) => (link ?? path)!,
    );
    const lost = paths.filter((path) => !existsSync(new URL(path, root)));
    assert.equal([...missing, ...lost], []);
  });
}

/** Keys of an object literal: `lora.r` of `lora: { r: 16 }`. */
function optionsIn(literal: string): string[] {
  const plain = literal.replaceAll(/'[^']*'|\[[^\]]*\]/g, '0').slice(1, -1);
  const nested = [...plain.matchAll(/(\w+): \{([^}]*)\}/g)].flatMap(([, section, inside]) =>
    [...inside!.matchAll(/(\w+):/g)].map(([, key]) => `${section!}.${key!}`),
  );
  const own = [...plain.replaceAll(/\{[^}]*\}/g, '0').matchAll(/(\w+):/g)].map(([, key]) => key!);
  return [...own, ...nested];
}

test('llms.txt names every command', () => {
  const text = read('llms.txt');
  assert.equal(
    commands.filter((name) => !text.includes(`lmflow ${name}`)),
    [],
  );
});

test.run();
