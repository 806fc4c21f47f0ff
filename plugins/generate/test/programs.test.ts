// Programs of steps are kept up to a number; the least recently used is freed.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine } from '@lmflow/sdk';
import { StepPrograms, type StepShape } from '../src/decode/step-programs.ts';
import { familyFolder, withModel } from './support.ts';

const shape = (length: number): StepShape => ({
  batch: 1,
  length,
  cache: 0,
  context: 64,
  chosen: 1,
});

test('a small model keeps 48 programs; one that fails is not kept', () =>
  withModel(familyFolder('llama'), {}, async ({ model }) => {
    const compiled: string[] = [];
    const freed: string[] = [];
    let broken = false;
    const engine = {
      compile: async (_: unknown, { name }: { name: string }) => {
        if (broken) throw new Error('no memory');
        compiled.push(name);
        return { dispose: async () => void freed.push(name) };
      },
    } as unknown as Engine;
    const programs = new StepPrograms(engine, model, 'inference').share();
    for (let length = 1; length <= 48; length++) await programs.get(shape(length));
    assert.equal(freed, []);
    await programs.get(shape(1));
    await programs.get(shape(49));
    assert.equal(freed, ['decode 1 x 2 after 0']);
    await programs.get(shape(1));
    assert.is(compiled.length, 49);
    broken = true;
    try {
      await programs.get(shape(50));
      assert.unreachable();
    } catch (error) {
      assert.is((error as Error).message, 'no memory');
    }
    assert.equal(freed, ['decode 1 x 2 after 0', 'decode 1 x 3 after 0']);
    broken = false;
    await programs.get(shape(50));
    await programs.dispose();
    assert.equal([...freed].sort(), [...compiled].sort());
  }));

test.run();
