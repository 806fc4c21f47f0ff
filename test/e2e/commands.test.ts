// What the package.json of our presets says of commands is what they bring, so that `lmflow
// <command>` finds its preset.
import { readdirSync, readFileSync } from 'node:fs';
import { createKernel } from 'lmflow';
import type { Preset } from '@lmflow/sdk';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = new URL('../../presets/', import.meta.url);
const declared = new Set<string>();
const brought = new Set<string>();

for (const name of readdirSync(root)) {
  test(`preset ${name} brings the commands it declares`, async () => {
    const { lmflow } = JSON.parse(readFileSync(new URL(`${name}/package.json`, root), 'utf8')) as {
      lmflow?: { commands: string[] };
    };
    const { default: preset } = (await import(`@lmflow/preset-${name}`)) as { default: Preset };
    const kernel = await createKernel({ presets: [preset], model: 'm' });
    for (const command of lmflow?.commands ?? []) {
      assert.ok(kernel.commands.has(command), `${name} does not bring ${command}`);
    }
    for (const command of lmflow?.commands ?? []) declared.add(command);
    for (const command of kernel.commands.keys()) brought.add(command);
    await kernel.close();
  });
}

test('every command is declared by a preset', () => {
  assert.equal(
    [...brought].filter((command) => !declared.has(command)),
    [],
  );
});

test.run();
