// What plugins write into a checkpoint and read back from it.
import { mkdtemp, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Model } from '@lmflow/sdk/model';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { CheckpointFolder } from '../src/checkpoint/checkpoint-folder.ts';

test('text, JSON and tensors come back; what is absent is undefined', async () => {
  const folder = await mkdtemp(join(tmpdir(), 'lmflow-checkpoint-'));
  const checkpoint = new CheckpointFolder('checkpoint', folder, 3, {} as Model);
  try {
    await checkpoint.writeText('notes.txt', 'Überall\r\n');
    await checkpoint.writeJson('state.json', { rounds: [1, 2] });
    await checkpoint.writeTensors(
      'weights.safetensors',
      new Map([['w', { shape: [2, 1], data: Float32Array.of(0.5, -2) }]]),
    );
    assert.is(await checkpoint.readText('notes.txt'), 'Überall\r\n');
    assert.equal(await checkpoint.readJson('state.json'), { rounds: [1, 2] });
    const weight = (await checkpoint.readTensors('weights.safetensors'))!.get('w')!;
    assert.equal(weight.shape, [2, 1]);
    for (const file of ['none.txt', 'notes.txt/none', 'none/at/all.json']) {
      assert.is(await checkpoint.readText(file), undefined);
      assert.is(await checkpoint.readJson(file), undefined);
      assert.is(await checkpoint.readTensors(file), undefined);
    }
  } finally {
    await rm(folder, { recursive: true });
  }
});

test.run();
