// A training that its owner steps through: the same steps as fit's, several passes over samples that
// come into being on the way, saved and resumed in the middle of them.
import { existsSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type {
  Hooks,
  MicroBatch,
  OpenRequest,
  Sample,
  Trainer,
  TrainingData,
  TrainingRun,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import {
  bitsOf,
  codeOf,
  fit,
  interpreterEngine,
  temporaryFolder,
  tinyModel,
  tinyObjective,
  tinySamples,
  VOCABULARY,
  withTrainer,
  type RunRequest,
} from './kit.ts';

const LENGTH = 8;
const blank: Sample = { inputIds: new Int32Array(LENGTH), labels: new Int32Array(LENGTH) };
const data: TrainingData = {
  samples: 6,
  fingerprint: 'prompts',
  stepsPerEpoch: 4,
  sequencesPerStep: 2,
  tokensPerStep: 2 * LENGTH,
  largest: [[blank, blank]],
};
const options: RunRequest['options'] = {
  maxSteps: 8,
  learningRate: 0.05,
  loggingSteps: 1,
  saveSteps: 100,
};

/** Opens a run of the tiny model and gives it to `use`. */
function open<T>(
  request: RunRequest & { readonly data?: TrainingData },
  use: (run: TrainingRun, model: Model, trainer: Trainer) => Promise<T>,
): Promise<T> {
  const { signal, evaluation, objective = tinyObjective, dryRun = false, data: own } = request;
  return withTrainer(
    {
      ...request,
      options: { ...options, ...request.options },
      config: { outputDir: temporaryFolder(), ...request.config },
    },
    async (trainer, model) => {
      const opened: OpenRequest = {
        model,
        objective,
        dryRun,
        data: own ?? data,
        ...(evaluation ? { evaluation } : {}),
        ...(signal ? { signal } : {}),
      };
      const run = await trainer.open(opened);
      try {
        return await use(run, model, trainer);
      } finally {
        await run.dispose();
      }
    },
  );
}

/** Samples that depend on the parameters, as a method's own answers do. */
function experienceOf({ parameters }: Model, round: number): MicroBatch {
  const { data: numbers } = parameters.get('embedding')!;
  return [0, 1].map((row) => {
    const inputIds = Int32Array.from(
      { length: LENGTH },
      (_, place) =>
        Math.abs(Math.trunc(1e4 * numbers[(7 * row + place + round) % numbers.length]!)) %
        VOCABULARY,
    );
    return { inputIds, labels: inputIds };
  });
}

/** Steps through a run in rounds of three passes over what the model said at their beginning. */
class Online {
  #experience: MicroBatch = [];

  readonly tap = (hooks: Hooks): void => {
    hooks.onSave.tap((checkpoint) =>
      checkpoint.writeJson(
        'experience.json',
        this.#experience.map(({ inputIds }) => [...inputIds]),
      ),
    );
    hooks.onRestore.tap(async (checkpoint) => {
      const saved = (await checkpoint.readJson('experience.json')) as number[][];
      this.#experience = saved.map((row) => {
        const inputIds = Int32Array.from(row);
        return { inputIds, labels: inputIds };
      });
    });
  };

  async train(run: TrainingRun, model: Model): Promise<void> {
    while (run.end === undefined) {
      if (run.steps % 3 === 0) this.#experience = experienceOf(model, run.steps / 3);
      await run.step([this.#experience]);
    }
  }
}

test('fit is a run that is stepped through from the first sample to the last', async () => {
  const train = tinySamples(10);
  const request: RunRequest = {
    evaluation: tinySamples(3, 8),
    options: {
      ...options,
      evalStrategy: 'steps',
      evalSteps: 3,
      trainSamplingStrategy: 'sequential',
    },
  };
  const whole = await fit({ ...request, train, config: { outputDir: temporaryFolder() } });
  const longest = Math.max(...Array.from({ length: 10 }, (_, index) => train.lengthOf(index)));
  const stepped = await open(
    {
      ...request,
      data: {
        ...data,
        stepsPerEpoch: 2,
        largest: [[{ inputIds: new Int32Array(longest), labels: new Int32Array(longest) }]],
      },
    },
    async (run, model) => {
      for (let at = 0; run.end === undefined; at = at === 0 ? 8 : 0) {
        const indices = Array.from({ length: at === 0 ? 8 : 2 }, (_, index) => at + index);
        const step = await run.step([indices.map((index) => train.get(index))]);
        assert.is(step!.number, run.steps);
      }
      return { end: run.end, result: await run.close(), model };
    },
  );
  assert.is(stepped.end, 'finished');
  assert.equal(bitsOf(stepped.model), bitsOf(whole.model));
  const figures = (log: readonly Readonly<Record<string, number>>[]): unknown =>
    log.map(({ loss, eval_loss, epoch, step }) => [loss, eval_loss, epoch, step]);
  assert.equal(figures(stepped.result.log), figures(whole.result.log));
  assert.equal(stepped.result.evaluation, whole.result.evaluation);
});

test('several passes over samples made on the way; resumed between two passes, the same run', async () => {
  const request: RunRequest = { options: { optim: 'adamw_torch', saveSteps: 4 } };
  const straight = await open({ ...request, tap: new Online().tap }, async (run, model) => {
    const online = new Online();
    await online.train(run, model);
    await run.close();
    return bitsOf(model);
  });
  for (const stop of ['signal', 'crash'] as const) {
    const outputDir = temporaryFolder();
    const controller = new AbortController();
    const online = new Online();
    const broken = open(
      {
        ...request,
        config: { outputDir },
        signal: controller.signal,
        tap: (hooks) => {
          online.tap(hooks);
          hooks.onStep.tap(({ number }) => {
            if (number !== 5) return;
            if (stop === 'crash') throw new Error('power cut');
            controller.abort();
          });
        },
      },
      async (run, model) => {
        await online.train(run, model);
        return run.close();
      },
    );
    if (stop === 'crash') assert.is(await codeOf(broken), 'LMFLOW_HOOK_FAILED');
    else assert.ok((await broken).stoppedEarly);
    const again = new Online();
    const [resumed, from] = await open(
      {
        options: { ...request.options, resumeFromCheckpoint: true },
        config: { outputDir },
        tap: again.tap,
      },
      async (run, model) => {
        const steps = run.steps;
        await again.train(run, model);
        await run.close();
        return [bitsOf(model), steps] as const;
      },
    );
    assert.is(from, stop === 'crash' ? 4 : 5);
    assert.equal(resumed, straight);
  }
});

test('evaluations and checkpoints on demand', async () => {
  const outputDir = temporaryFolder();
  await open({ config: { outputDir }, evaluation: tinySamples(3, 8) }, async (run, model) => {
    const before = (await run.evaluate())!;
    await run.step([experienceOf(model, 0)]);
    const after = (await run.evaluate())!;
    assert.is.not(after['loss'], before['loss']);
    const folder = await run.save();
    assert.is(folder, join(outputDir, 'checkpoint-1'));
    assert.ok(existsSync(join(folder, 'lmflow_state.json')));
    const result = await run.close();
    assert.equal([result.steps, result.stoppedEarly], [1, true]);
    assert.equal(result.evaluation, after);
    assert.is(run.end, 'stopped');
    assert.is(await run.step([experienceOf(model, 0)]), undefined);
  });
  assert.ok(existsSync(join(outputDir, 'train_results.json')));
  await open({}, async (run) => {
    assert.is(await run.evaluate(), undefined);
  });
});

test('an interrupted run says so, saves, and writes no results', async () => {
  const outputDir = temporaryFolder();
  const controller = new AbortController();
  await open({ config: { outputDir }, signal: controller.signal }, async (run, model) => {
    await run.step([experienceOf(model, 0)]);
    controller.abort();
    assert.is(await run.step([experienceOf(model, 0)]), undefined);
    assert.is(run.end, 'interrupted');
    assert.is((await run.close()).steps, 1);
  });
  assert.equal(readdirSync(outputDir).sort(), ['checkpoint-1', 'trainer_log.jsonl']);
});

test('an abort between steps ends the run as one at a step; other errors are thrown', async () => {
  const outputDir = temporaryFolder();
  const controller = new AbortController();
  await open({ config: { outputDir }, signal: controller.signal }, async (run, model) => {
    assert.is(await run.between(() => Promise.resolve(7)), 7);
    await run.step([experienceOf(model, 0)]);
    const failing = (): Promise<never> => Promise.reject(new Error('no answers'));
    const error = await run.between(failing).catch((thrown: unknown) => thrown);
    assert.match(String(error), /no answers/);
    assert.is(run.end, undefined);
    controller.abort();
    assert.is(await run.between(failing), undefined);
    assert.is(run.end, 'interrupted');
  });
  assert.equal(readdirSync(outputDir).sort(), ['checkpoint-1', 'trainer_log.jsonl']);
});

test('a dry run prints the plan and has no step', async () => {
  const outputDir = join(temporaryFolder(), 'out');
  await open({ config: { outputDir }, dryRun: true }, async (run, model) => {
    assert.equal([run.end, run.steps, run.totalSteps], ['planned', 0, 8]);
    assert.is(await run.step([experienceOf(model, 0)]), undefined);
    assert.ok((await run.close()).stoppedEarly);
  });
  assert.not.ok(existsSync(outputDir));
});

test('a batch that is longer than the largest planned one is refused', async () => {
  const long = new Int32Array(4 * LENGTH + 1).fill(1);
  assert.is(
    await codeOf(open({}, (run) => run.step([[{ inputIds: long, labels: long }]]))),
    'LMFLOW_SAMPLE_TOO_LONG',
  );
});

test("other samples or options of the objective than the checkpoint's are refused", async () => {
  const outputDir = temporaryFolder();
  const objective = { ...tinyObjective, options: { beta: 0.1 } };
  await open({ config: { outputDir }, objective }, async (run, model) => {
    await run.step([experienceOf(model, 0)]);
    await run.save();
  });
  const resume = (request: Parameters<typeof open>[0]): Promise<string> =>
    codeOf(
      open(
        { objective, ...request, config: { outputDir }, options: { resumeFromCheckpoint: true } },
        async (run) => {
          assert.is(run.steps, 1);
        },
      ),
    );
  assert.is(await resume({}), 'no error');
  assert.is(await resume({ data: { ...data, fingerprint: 'others' } }), 'LMFLOW_RESUME_CHANGED');
  assert.is(
    await resume({ objective: { ...tinyObjective, options: { beta: 0.2 } } }),
    'LMFLOW_RESUME_CHANGED',
  );
});

test('programs are freed, also where opening fails', async () => {
  const engine = interpreterEngine();
  await open({ engine }, async (run, model) => {
    await run.step([experienceOf(model, 0)]);
    assert.ok(engine.compiled.size > 0);
  });
  assert.is(engine.compiled.size, 0);
  const model = tinyModel();
  const request: RunRequest = {
    engine,
    model,
    evaluation: tinySamples(3, 8),
    options: { evalOnStart: true },
    tap: (hooks) => {
      hooks.onEvaluate.tap(() => {
        throw new Error('no');
      });
    },
  };
  assert.is(await codeOf(open(request, async () => undefined)), 'LMFLOW_HOOK_FAILED');
  assert.is(engine.compiled.size, 0);
});

test.run();
