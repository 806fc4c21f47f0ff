// Parameters behind a storage in a file: training, evaluation, checkpoints and resuming give bit for
// bit what parameters in memory give.
import { openSync, readSync, writeSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { sizeOf } from '@lmflow/sdk/graph';
import {
  loadParameter,
  storedParameter,
  type Model,
  type Parameter,
  type ParameterStorage,
} from '@lmflow/sdk/model';
import type { TrainerInput } from '../src/index.ts';
import { fit, temporaryFolder, tinyModel, tinySamples } from './kit.ts';

/** Counts of what went through the storages of a model. */
interface Traffic {
  loads: number;
  stores: number;
}

/** The numbers from `offset` bytes on of an open file. */
function inFile(file: number, offset: number, traffic: Traffic): ParameterStorage {
  const bytes = (numbers: Float32Array): Uint8Array =>
    new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength);
  return {
    load: async (into) => {
      traffic.loads++;
      assert.is(readSync(file, bytes(into), 0, into.byteLength, offset), into.byteLength);
    },
    store: async (from) => {
      traffic.stores++;
      assert.is(writeSync(file, bytes(from), 0, from.byteLength, offset), from.byteLength);
    },
  };
}

/** The tiny model with its parameters in a file. */
async function storedModel(): Promise<{ readonly model: Model; readonly traffic: Traffic }> {
  const model = tinyModel();
  const traffic = { loads: 0, stores: 0 };
  const file = openSync(join(temporaryFolder(), 'parameters'), 'w+');
  let offset = 0;
  for (const parameter of [...model.parameters.values()]) {
    const { data, name, shape, decay } = parameter;
    const storage = inFile(file, offset, traffic);
    await storage.store(data);
    model.parameters.set(name, storedParameter({ name, shape, decay }, storage));
    offset += 4 * sizeOf(shape);
  }
  return { model, traffic };
}

const numbersOf = async (parameters: Iterable<Parameter>): Promise<Float32Array[]> =>
  Promise.all(Array.from(parameters, loadParameter));

const options: TrainerInput = {
  maxSteps: 4,
  perDeviceTrainBatchSize: 2,
  gradientAccumulationSteps: 2,
  learningRate: 0.05,
  weightDecay: 0.1,
  loggingSteps: 1,
  saveSteps: 2,
  evalSteps: 2,
};

// adafactor updates whole tensors, schedule_free evaluates other weights than it trains
for (const optim of ['adamw_torch', 'adafactor', 'schedule_free_adamw', 'adamw_8bit', 'sophia']) {
  test(`${optim}: the same numbers, and the same again when resumed`, async () => {
    const request = {
      options: { ...options, optim, lrSchedulerType: 'constant' as const },
      evaluation: tinySamples(4, 9),
    };
    const memory = await fit({ ...request, config: { outputDir: temporaryFolder() } });
    const outputDir = temporaryFolder();
    const { model, traffic } = await storedModel();
    const stored = await fit({ ...request, model, config: { outputDir } });
    const expected = await numbersOf(memory.model.parameters.values());
    assert.equal(await numbersOf(model.parameters.values()), expected);
    assert.equal(stored.result.evaluation, memory.result.evaluation);
    assert.ok(traffic.loads > 8 && traffic.stores > 8, JSON.stringify(traffic));

    const again = await storedModel();
    await fit({
      ...request,
      model: again.model,
      options: { ...request.options, resumeFromCheckpoint: join(outputDir, 'checkpoint-2') },
      config: { outputDir: temporaryFolder() },
    });
    assert.equal(await numbersOf(again.model.parameters.values()), expected);
  });
}

test('numbers behind a storage are not taken for numbers in memory', async () => {
  const { model } = await storedModel();
  assert.throws(
    () => model.parameters.get('head')!.data,
    (error: { code?: string }) => error.code === 'LMFLOW_PARAMETER_STORED',
  );
});

test.run();
