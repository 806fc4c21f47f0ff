// A safetensors export that is read back, with faults put into its file.
import { readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { MODELS } from '@lmflow/sdk';
import { readSafetensors, writeSafetensors, type TensorToWrite } from '@lmflow/sdk/formats';
import { checkWritten } from '../src/written-tensors.ts';
import { failure, modelFolder, withKernel } from './folders.ts';

type Change = (tensors: [string, TensorToWrite][]) => [string, TensorToWrite][];

/** Checks a copy of a model's folder after a fault in its file. */
async function check(damage: (path: string) => Promise<void> | void): Promise<void> {
  const [source, folder] = [modelFolder('llama'), modelFolder('llama')];
  await withKernel({}, async (kernel) => {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'reference', purpose: 'inference', source });
    await damage(join(folder, 'model.safetensors'));
    await checkWritten(model, folder, ['model.safetensors', 'config.json']);
  });
}

const rewritten =
  (change: Change) =>
  async (path: string): Promise<void> => {
    const tensors = await readSafetensors(path);
    await writeSafetensors(path, change([...tensors]));
  };

test('an export that agrees', () => check(() => undefined));

for (const [name, says, damage] of [
  [
    'the last byte changed',
    /number \d+ of /,
    (path: string): void => {
      const bytes = readFileSync(path);
      bytes[bytes.length - 1]! ^= 1;
      writeFileSync(path, bytes);
    },
  ],
  ['a tensor absent', /is in no file/, rewritten((tensors) => tensors.slice(1))],
  [
    'another shape',
    /is \[\d+\], not \[/,
    rewritten((tensors) =>
      tensors.map(([key, { data }]) => [key, { shape: [(data as Float32Array).length], data }]),
    ),
  ],
] as const) {
  test(`a fault: ${name}`, async () => {
    const { code, message } = await failure(check(damage));
    assert.is(code, 'LMFLOW_EXPORT_DIFFERS');
    assert.match(message, says);
  });
}

test.run();
