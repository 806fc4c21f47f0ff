// Resuming with other settings than the checkpoint's: what is refused, whatever is allowed, and
// what starts anew where it is allowed.
import { readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { claimLinears, type LinearLayer, type Model } from '@lmflow/sdk/model';
import { SafetensorsFile } from '@lmflow/sdk/formats';
import type { TrainerInput } from '../src/index.ts';
import {
  fit,
  temporaryFolder,
  tinyModel,
  tinySamples,
  type RunOutcome,
  type RunRequest,
} from './kit.ts';

const start = (outputDir: string, { options, ...request }: RunRequest = {}): Promise<RunOutcome> =>
  fit({
    ...request,
    config: { outputDir },
    options: {
      maxSteps: 9,
      saveSteps: 4,
      learningRate: 0.05,
      perDeviceTrainBatchSize: 2,
      lrSchedulerType: 'constant',
      ...options,
    },
  });
/** Trains up to a step and ends as Ctrl-C does. */
const until = (
  outputDir: string,
  number: number,
  request: RunRequest = {},
): Promise<RunOutcome> => {
  const controller = new AbortController();
  return start(outputDir, {
    ...request,
    signal: controller.signal,
    tap: (hooks) => {
      hooks.onStep.tap((step) => {
        if (step.number === number) controller.abort();
      });
    },
  });
};

test('how linears are computed decides the result', async () => {
  const folder = temporaryFolder();
  await until(folder, 4, { model: inFourBits('nf4') });
  const resume = { options: { resumeFromCheckpoint: true } };
  assert.match(
    await messageOf(start(folder, { ...resume, model: inFourBits('fp4') })),
    /LMFLOW_RESUME_CHANGED.*nf4\) by four-bits: "1 .*-> not set.*fp4\) by four-bits: not set -> "1 /s,
  );
  assert.match(await messageOf(start(folder, resume)), /LMFLOW_RESUME_CHANGED.*nf4.* -> not set/s);
  // a copy, as position-interpolation makes one
  const { result } = await start(folder, { ...resume, model: { ...inFourBits('nf4') } });
  assert.is(result.steps, 9);
  assert.match(
    readFileSync(join(folder, 'README.md'), 'utf8'),
    /\| precision \| float32; 1 of 1 linears in 4 bits \(nf4\) \|/,
  );
});

test('other parameters than the checkpoint has are refused before anything is read, whatever is allowed', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  const model = tinyModel();
  model.parameters.delete('head');
  let restored = false;
  const message = await messageOf(
    start(folder, {
      model,
      tap: (hooks) => {
        hooks.onRestore.tap(() => {
          restored = true;
        });
      },
      options: { allowConfigChange: true, resumeFromCheckpoint: true },
    }),
  );
  assert.match(
    message,
    /LMFLOW_RESUME_CHANGED.*parameters: "2 .* -> "1 .*start a new run in another outputDir/s,
  );
  assert.not.ok(restored);
});

test('after an allowed change of the batch the epochs go on by samples', async () => {
  const folder = temporaryFolder();
  const train = tinySamples(12);
  // an epoch has six steps before, two after
  await until(folder, 4, { train, options: { maxSteps: -1, numTrainEpochs: 3 } });
  const { result } = await start(folder, {
    train,
    options: {
      maxSteps: -1,
      numTrainEpochs: 3,
      loggingSteps: 1,
      perDeviceTrainBatchSize: 6,
      resumeFromCheckpoint: true,
      allowConfigChange: true,
    },
  });
  // four samples are left of the first epoch: one step, and two for each of the others
  assert.is(result.steps, 9);
  assert.equal(
    result.log.filter(({ loss }) => loss !== undefined).map(({ epoch }) => epoch),
    [1, 1.5, 2, 2.5, 3],
  );
});

test('a rate of its own of a parameter is told', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  const model = tinyModel();
  model.parameters.set('head', { ...model.parameters.get('head')!, learningRate: 1e-6 });
  assert.match(
    await messageOf(start(folder, { model, options: { resumeFromCheckpoint: true } })),
    /learningRates: not set -> "0.000001 \(/,
  );
});

test('another rate of some parameters may be allowed', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  const faster = (): Model => {
    const model = tinyModel();
    model.parameters.set('head', { ...model.parameters.get('head')!, learningRateScale: 4 });
    return model;
  };
  assert.match(
    await messageOf(start(folder, { model: faster(), options: { resumeFromCheckpoint: true } })),
    /learningRateScales: not set -> "1, 4 \(/,
  );
  assert.is(
    (
      await start(folder, {
        model: faster(),
        options: { resumeFromCheckpoint: true, allowConfigChange: true },
      })
    ).result.steps,
    9,
  );
});

for (const optim of [
  'adamw_8bit',
  'schedule_free_adamw',
  'adan',
  'muon',
  'sophia',
  'adafactor',
  'sgd',
  'lion',
  'lamb',
  'adamw_hf',
]) {
  test(`${optim} after adamw_torch, allowed: its state starts anew and that is told`, async () => {
    const folder = temporaryFolder();
    await until(folder, 4);
    const resumed = await start(folder, {
      options: {
        optim,
        ...(optim === 'sgd' ? { optimArgs: 'momentum=0.9' } : {}),
        allowConfigChange: true,
        resumeFromCheckpoint: true,
      },
    });
    // adamw_hf is adamw_torch by another name
    const [told, steps] = optim === 'adamw_hf' ? [false, 9] : [true, 5];
    assert.is(/state of .* starts anew/.test(resumed.log.texts('warn').join()), told);
    const state = await SafetensorsFile.open(join(folder, 'checkpoint-9', 'optimizer.safetensors'));
    assert.equal([...(await state.read('head.step'))], [steps]);
    if (optim === 'sophia') {
      assert.ok(
        (await state.read('head.hessian')).some((number) => number > 0),
        'the curvature is estimated in the first step, not in step 11',
      );
    }
  });
}

test('optimArgs that the state does not fit start it anew; others keep it', async () => {
  const folder = temporaryFolder();
  await until(folder, 4, { options: { optim: 'sgd' } });
  const allowed: TrainerInput = { optim: 'sgd', allowConfigChange: true };
  const other = await until(folder, 6, {
    options: { ...allowed, optimArgs: 'momentum=0.5', resumeFromCheckpoint: true },
  });
  assert.match(
    other.log.texts('warn').join(),
    /state of sgd starts anew: the checkpoint, made with other optimArgs, lacks embedding.momentum_buffer, head.momentum_buffer/,
  );
  const kept = await start(folder, {
    options: { ...allowed, optimArgs: 'momentum=0.6', resumeFromCheckpoint: true },
  });
  assert.not.match(kept.log.texts('warn').join(), /anew/);
  assert.equal(
    [
      ...(await (
        await SafetensorsFile.open(join(folder, 'checkpoint-9', 'optimizer.safetensors'))
      ).read('head.step')),
    ],
    [5],
  );
});

test('a dry run finds the checkpoint and what has changed, before the plan', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  const tables: string[] = [];
  try {
    await start(folder, {
      dryRun: true,
      options: { learningRate: 0.01, resumeFromCheckpoint: true },
    });
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'LMFLOW_RESUME_CHANGED');
    tables.push(...(error as Error & RunOutcome).log.texts('table'));
  }
  assert.equal(tables, []);
  const files = readdirSync(folder);
  assert.match(
    (await start(folder, { dryRun: true, options: { resumeFromCheckpoint: true } })).log
      .texts('table')
      .join(),
    /resumed from checkpoint-4/,
  );
  assert.match(
    (await start(temporaryFolder(), { dryRun: true, options: { resumeFromCheckpoint: true } })).log
      .texts('table')
      .join(),
    /no checkpoint yet/,
  );
  assert.equal(readdirSync(folder), files);
});

async function messageOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    const { code, message, hint } = error as Error & { code?: string; hint?: string };
    return `${code} ${message} ${hint}`;
  }
  return 'no error';
}

/** As qlora and int8-compute leave a model. */
function inFourBits(type: string): Model {
  const head: LinearLayer = {
    name: 'head',
    inFeatures: 4,
    outFeatures: 12,
    weight: 'head',
    layout: 'out-in',
  };
  const model = Object.assign(tinyModel(), { linears: [head] });
  claimLinears(model, {
    plugin: 'four-bits',
    how: `in 4 bits (${type})`,
    linears: [head.name],
    exclude: 'fourBits.exclude',
  });
  return model;
}

test.run();
