// What package.json says of a plugin or preset is what it does: the commands that help and unknown
// commands name without an import.
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Plugin, Preset } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';

interface Manifest {
  readonly name: string;
  readonly lmflow?: { readonly commands?: unknown };
}

const root = new URL('../../', import.meta.url);
const manifestOf = (folder: string): Manifest =>
  JSON.parse(readFileSync(new URL(`${folder}/package.json`, root), 'utf8')) as Manifest;
const inside = (folder: string): string[] =>
  readdirSync(new URL(folder, root)).map((name) => `${folder}/${name}`);

/** Applies everything that ours may require, so that any plugin can be looked at. */
const everything = await createTestKernel({
  plugins: await Promise.all(
    inside('plugins').map(async (folder) => {
      const module = (await import(manifestOf(folder).name)) as { default: () => Plugin };
      return module.default();
    }),
  ),
});
const contributed = [...everything.kernel.commands.values()];

for (const folder of inside('plugins')) {
  test(`${folder}: package.json lists its commands with their line`, () => {
    const { name, lmflow } = manifestOf(folder);
    const own = contributed.filter(({ plugin }) => plugin === name);
    assert.equal(
      lmflow?.commands ?? {},
      Object.fromEntries(own.map(({ spec }) => [spec.name, spec.summary])),
    );
  });
}

for (const folder of inside('presets')) {
  test(`${folder}: the commands that package.json lists are those of its plugins`, async () => {
    const { name, lmflow } = manifestOf(folder);
    const preset = ((await import(name)) as { default: Preset }).default;
    const { kernel } = await createTestKernel({ presets: [preset] });
    for (const command of (lmflow?.commands ?? []) as string[]) {
      assert.ok(kernel.commands.has(command), command);
    }
    await kernel.close();
  });
}

test('each command of a plugin is brought by a preset', () => {
  const brought = inside('presets').flatMap(
    (folder) => (manifestOf(folder).lmflow?.commands ?? []) as string[],
  );
  for (const { spec } of contributed) assert.ok(brought.includes(spec.name), spec.name);
});

test.after(() => everything.kernel.close());
test.run();
