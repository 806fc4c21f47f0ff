// What a step does: accumulation, clipping, dropout, hooks, logging, evaluation, best model, early
// stopping, failures.
import { existsSync, readdirSync, readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IGNORED, OPTIMIZERS, SCHEDULES, type Batch, type Objective, type Step } from '@lmflow/sdk';
import { mul } from '@lmflow/sdk/graph';
import { collate } from '../src/data/collate.ts';
import type { TrainerInput } from '../src/index.ts';
import { Programs } from '../src/loop/programs.ts';
import {
  bitsOf,
  codeOf,
  fit,
  interpreterEngine,
  OPTIMIZER_ROWS,
  samplesOf,
  temporaryFolder,
  tinyModel,
  tinyObjective,
  tinySamples,
  withTrainer,
  type RunOutcome,
  type RunRequest,
} from './kit.ts';

const sgd = OPTIMIZER_ROWS.get('sgd')!;
const quiet: TrainerInput = {
  saveStrategy: 'no',
  loggingSteps: 1,
  learningRate: 0.05,
  perDeviceTrainBatchSize: 2,
};
const run = ({ options, ...request }: RunRequest = {}): Promise<RunOutcome> =>
  fit({
    ...request,
    options: { ...quiet, ...options },
    config: { outputDir: temporaryFolder(), ...request.config },
  });
const losses = ({ result }: RunOutcome): number[] => result.log.flatMap(({ loss }) => loss ?? []);
const numbers = ({ model }: RunOutcome): number[] =>
  [...model.parameters.values()].flatMap(({ data }) => [...data]);
const close = (a: readonly number[], b: readonly number[], tolerance: number): void => {
  assert.is(a.length, b.length);
  a.forEach((number, index) => {
    assert.ok(Math.abs(number - b[index]!) < tolerance, `${index}: ${number} and ${b[index]}`);
  });
};

test('16 micro-batches of 1 are 1 batch of 16', async () => {
  const train = tinySamples(40);
  const [small, large] = [
    await run({ train, options: { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 16 } }),
    await run({ train, options: { perDeviceTrainBatchSize: 16, gradientAccumulationSteps: 1 } }),
  ];
  assert.is(small.result.steps, 9);
  close(losses(small), losses(large), 1e-6);
  close(numbers(small), numbers(large), 1e-5);
  close(
    small.result.log.flatMap(({ doubled }) => doubled ?? []),
    large.result.log.flatMap(({ doubled }) => doubled ?? []),
    1e-6,
  );
});

test('the update is that of the mean over trained tokens, clipped by the global norm', async () => {
  const train = samplesOf([{ inputIds: Int32Array.of(1, 2, 3), labels: Int32Array.of(1, 2, 3) }]);
  const options: TrainerInput = {
    optim: 'sgd',
    lrSchedulerType: 'constant',
    maxSteps: 1,
    learningRate: 1,
    trainSamplingStrategy: 'sequential',
  };
  const start = [...tinyModel().parameters.values()].flatMap(({ data }) => [...data]);
  const moved = async (
    maxGradNorm: number,
  ): Promise<{ readonly length: number; readonly norm: number }> => {
    const outcome = await run({ train, options: { ...options, maxGradNorm } });
    return {
      length: Math.hypot(...numbers(outcome).map((number, index) => number - start[index]!)),
      norm: outcome.result.log[0]!['grad_norm']!,
    };
  };
  const free = await moved(0);
  close([free.length], [free.norm], 1e-6);
  const clipped = await moved(free.norm / 4);
  // the norm is told before clipping
  close([clipped.norm, clipped.length], [free.norm, free.norm / 4], 1e-5);
  close([(await moved(free.norm * 4)).length], [free.norm], 1e-6);
});

test('the learning rate rises over the warmup steps and falls to the end', async () => {
  const { result } = await run({ options: { maxSteps: 8, warmupSteps: 2, learningRate: 0.1 } });
  close(
    result.log.flatMap(({ learning_rate: rate }) => rate ?? []),
    [0, 0.05, 0.1, 5 / 60, 4 / 60, 3 / 60, 2 / 60, 1 / 60],
    1e-12,
  );
  const ratios = [{ warmupSteps: 0.25 }, { warmupRatio: 0.25 }].map(async (options) =>
    (await run({ options: { maxSteps: 8, learningRate: 0.1, ...options } })).result.log.map(
      ({ learning_rate: rate }) => rate,
    ),
  );
  for (const rates of await Promise.all(ratios)) assert.is(rates[1], 0.05);
  for (const warmup of [{ warmupSteps: 2 }, { warmupRatio: 0.25 }]) {
    assert.is(
      await codeOf(run({ options: { maxSteps: 8, lrSchedulerType: 'constant', ...warmup } })),
      'LMFLOW_CONFIG_CONFLICT',
    );
  }
});

test('groupByLength beside another order: LMFLOW_CONFIG_CONFLICT', async () => {
  assert.is(
    await codeOf(run({ options: { groupByLength: true, trainSamplingStrategy: 'sequential' } })),
    'LMFLOW_CONFIG_CONFLICT',
  );
});

test('dropout masks follow from seed and step: the same run twice, another with another seed', async () => {
  const model = (): ReturnType<typeof tinyModel> =>
    Object.assign(tinyModel(), { config: { dropout: 1 } });
  const [first, second, third, without] = [
    await run({ model: model() }),
    await run({ model: model() }),
    await run({ model: model(), config: { seed: 7 }, options: { dataSeed: 42 } }),
    await run(),
  ];
  assert.equal(bitsOf(first.model), bitsOf(second.model));
  assert.not.equal(bitsOf(first.model), bitsOf(third.model));
  assert.not.equal(bitsOf(first.model), bitsOf(without.model));
});

test('hooks: in order, with figures; a tap can log, evaluate, save and stop', async () => {
  const said: string[] = [];
  const outputDir = temporaryFolder();
  const { result } = await run({
    config: { outputDir },
    evaluation: tinySamples(4, 8),
    options: { loggingSteps: 100, gradientAccumulationSteps: 2, perDeviceTrainBatchSize: 1 },
    tap: (hooks) => {
      hooks.onStepStart.tap((step) => {
        said.push(`start ${step.number}/${step.totalSteps}`);
        assert.is(step.batches.length, 2);
      });
      hooks.onBatch.tap((batch, step) => {
        if (step.mode === 'training' && step.number > 0) said.push(`batch ${step.number}`);
        return batch;
      });
      hooks.onStep.tap((step: Step) => {
        said.push(`step ${step.number}`);
        assert.ok(
          step.loss! > 0 && step.gradientNorm! > 0 && step.learningRate! > 0 && step.seconds! > 0,
        );
        if (step.number === 2) {
          Object.assign(step.control, { log: true, evaluate: true, save: true });
        }
        if (step.number === 3) step.control.stop = true;
      });
      hooks.onEvaluate.tap((evaluation) => {
        said.push(`evaluation ${evaluation.step}`);
        evaluation.metrics['added'] = 1;
      });
      hooks.onSave.tap((checkpoint) => {
        said.push(`${checkpoint.kind} ${checkpoint.step}`);
      });
      hooks.onMetrics.tap(({ kind, step }) => {
        said.push(`${kind} metrics ${step}`);
      });
    },
  });
  assert.equal(said, [
    'start 1/15',
    'batch 1',
    'batch 1',
    'step 1',
    'start 2/15',
    'batch 2',
    'batch 2',
    'step 2',
    'train metrics 2',
    'evaluation 2',
    'evaluation metrics 2',
    'checkpoint 2',
    'start 3/15',
    'batch 3',
    'batch 3',
    'step 3',
    'evaluation 3',
    'evaluation metrics 3',
    'final 3',
    'final metrics 3',
  ]);
  assert.ok(result.stoppedEarly && result.steps === 3);
  assert.is(result.log.find((entry) => entry['eval_loss'] !== undefined)!['eval_added'], 1);
  assert.ok(existsSync(join(outputDir, 'checkpoint-2', 'lmflow_state.json')));
});

test('an onBatch tap can add a tensor that the objective takes', async () => {
  const objective: Objective = {
    ...tinyObjective,
    build: (trace) => ({ loss: mul(tinyObjective.build(trace).loss, trace.input('factor')) }),
  };
  const outcome = await run({
    objective,
    options: { maxSteps: 1 },
    tap: (hooks) => {
      hooks.onBatch.tap((batch) => ({
        ...batch,
        tensors: {
          ...batch.tensors,
          factor: { dtype: 'float32', shape: [], data: Float32Array.of(3) },
        },
      }));
    },
  });
  close(
    losses(outcome),
    losses(await run({ options: { maxSteps: 1 } })).map((loss) => 3 * loss),
    1e-5,
  );
});

test('the loss of an evaluation is the mean over all tokens, whatever the batches', async () => {
  const evaluation = tinySamples(7, 3);
  const evaluate = async (
    perDeviceEvalBatchSize: number,
  ): Promise<Readonly<Record<string, number>>> =>
    (await run({ evaluation, options: { maxSteps: 1, learningRate: 0, perDeviceEvalBatchSize } }))
      .result.evaluation!;
  const [one, all] = [await evaluate(1), await evaluate(7)];
  close([one['loss']!, one['doubled']!], [all['loss']!, all['doubled']!], 1e-5);
  close([one['perplexity']!], [Math.exp(one['loss']!)], 1e-9);
});

test("figures that follow from the means are the objective's: without them there is no perplexity", async () => {
  const bare: Objective = {
    name: 'bare',
    build: (trace) => tinyObjective.build(trace),
    weight: (batch) => tinyObjective.weight(batch),
  };
  const outputDir = temporaryFolder();
  const { result, log } = await run({
    objective: bare,
    evaluation: tinySamples(4, 3),
    config: { outputDir },
    options: { maxSteps: 1 },
  });
  assert.equal(Object.keys(result.evaluation!), ['loss', 'doubled']);
  assert.match(log.texts('event').join('\n'), /evaluation loss \S+ {2}doubled \S+ {2}\(/);
  const written = readFileSync(join(outputDir, 'eval_results.json'), 'utf8');
  assert.not.match(written, 'perplexity');
  const own: Objective = { ...bare, figures: () => ({ doubled: 0, halved: 1 }) };
  const { halved, doubled } = (
    await run({ objective: own, evaluation: tinySamples(4, 3), options: { maxSteps: 1 } })
  ).result.evaluation!;
  assert.is(halved, 1);
  assert.ok(doubled! > 0, 'a sum goes before a figure of its name');
});

test('evaluate() gives the figures of an evaluation, and ends where it is interrupted', async () => {
  const samples = tinySamples(7, 3);
  const { result } = await run({ evaluation: samples, options: { maxSteps: 1, learningRate: 0 } });
  const evaluations: number[] = [];
  const request: RunRequest = {
    tap: (hooks) => {
      hooks.onEvaluate.tap(({ step }) => {
        evaluations.push(step);
      });
    },
  };
  assert.equal(
    await withTrainer(request, (trainer, model) =>
      trainer.evaluate({ model, samples, objective: tinyObjective }),
    ),
    result.evaluation,
  );
  assert.equal(evaluations, [0]);
  assert.is(
    await codeOf(
      withTrainer({}, (trainer, model) =>
        trainer.evaluate({ model, samples, objective: tinyObjective, signal: AbortSignal.abort() }),
      ),
    ),
    'LMFLOW_ABORTED',
  );
});

test('interrupted before the first step: nothing is saved', async () => {
  const outputDir = temporaryFolder();
  const { result, log } = await run({ config: { outputDir }, signal: AbortSignal.abort() });
  assert.ok(result.stoppedEarly && result.steps === 0);
  assert.match(log.texts('info').join(), /before the first step/);
  assert.equal(readdirSync(outputDir), ['trainer_log.jsonl']);
});

test('a plugin adds an optimizer and a schedule', async () => {
  const contribute: RunRequest['contribute'] = (context) => {
    context.contribute(OPTIMIZERS, {
      ...sgd,
      name: 'backwards',
      make: (settings) => {
        const optimizer = sgd.make(settings);
        return {
          ...optimizer,
          scalars: (facts) => optimizer.scalars({ ...facts, learningRate: -facts.learningRate }),
        };
      },
    });
    context.contribute(SCHEDULES, { name: 'halves', factor: ({ step }) => 0.5 ** step });
  };
  const { result } = await run({
    contribute,
    options: {
      optim: 'backwards',
      lrSchedulerType: 'halves',
      maxSteps: 4,
      learningRate: 1,
      trainSamplingStrategy: 'sequential',
      perDeviceTrainBatchSize: 10,
    },
  });
  assert.equal(
    result.log.flatMap(({ learning_rate: rate }) => rate ?? []),
    [1, 0.5, 0.25, 0.125],
  );
  const all = losses({ result } as RunOutcome);
  assert.ok(
    all.every((loss, index) => index === 0 || loss > all[index - 1]!),
    `${all.join()} should rise`,
  );
});

test('logging, evaluating and saving when they are due', async () => {
  const outputDir = temporaryFolder();
  const { result } = await run({
    config: { outputDir },
    evaluation: tinySamples(4, 8),
    options: {
      maxSteps: 13,
      loggingSteps: 5,
      loggingFirstStep: true,
      evalStrategy: 'epoch',
      evalOnStart: true,
      saveStrategy: 'steps',
      saveSteps: 0.3,
    }, // 5 steps an epoch
  });
  assert.equal(
    result.log.filter(({ loss }) => loss !== undefined).map(({ step }) => step),
    [1, 5, 10, 13],
  );
  assert.equal(
    result.log.filter((entry) => entry['eval_loss'] !== undefined).map(({ step }) => step),
    [0, 5, 10, 13],
  );
  assert.equal(
    readdirSync(outputDir)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-12', 'checkpoint-13', 'checkpoint-4', 'checkpoint-8'],
  );
});

test('the logged loss is the mean since the last entry', async () => {
  const [each, third] = [
    await run({ options: { maxSteps: 6 } }),
    await run({ options: { maxSteps: 6, loggingSteps: 3 } }),
  ];
  const all = losses(each);
  close(
    losses(third),
    [(all[0]! + all[1]! + all[2]!) / 3, (all[3]! + all[4]! + all[5]!) / 3],
    1e-12,
  );
  close([each.result.trainLoss], [all.reduce((total, loss) => total + loss, 0) / 6], 1e-12);
});

/** Evaluation figures that a test decides: `values[n]` at the nth evaluation. */
const scripted = (values: readonly number[], request: RunRequest): Promise<RunOutcome> => {
  let count = 0;
  return run({
    evaluation: tinySamples(3, 8),
    ...request,
    tap: (hooks) => {
      hooks.onEvaluate.tap(({ metrics }) => {
        metrics['score'] = values[count++] ?? 0;
      });
    },
  });
};

test('early stopping counts evaluations that are not better by the threshold', async () => {
  const options: TrainerInput = {
    maxSteps: 10,
    evalStrategy: 'steps',
    evalSteps: 1,
    metricForBestModel: 'score',
    earlyStoppingPatience: 2,
    earlyStoppingThreshold: 0.1,
  };
  const stopped = await scripted([1, 2, 2.05, 1.9, 5], { options });
  assert.is(stopped.result.steps, 4);
  assert.ok(stopped.result.stoppedEarly);
  assert.is(
    (
      await scripted([3, 2, 1, 0.5, 0.45, 0.41, 0.3], {
        options: { ...options, greaterIsBetter: false },
      })
    ).result.steps,
    6,
  );
});

test('the best model is saved, kept within the limit, and loaded at the end', async () => {
  const outputDir = temporaryFolder();
  const weights = new Map<number, number[]>();
  const outcome = await scripted([1, 5, 2, 3, 4], {
    config: { outputDir },
    options: {
      maxSteps: 5,
      evalStrategy: 'steps',
      evalSteps: 1,
      metricForBestModel: 'eval_score',
      loadBestModelAtEnd: true,
      saveStrategy: 'steps',
      saveSteps: 1,
      saveTotalLimit: 2,
    },
  });
  assert.equal(
    readdirSync(outputDir)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-2', 'checkpoint-5'],
  );
  const short = await run({
    options: { maxSteps: 5 },
    tap: (hooks) => {
      hooks.onStep.tap((step) => {
        weights.set(step.number, bitsOf(step.model));
      });
    },
  });
  assert.equal(bitsOf(outcome.model), weights.get(2));
  assert.not.equal(bitsOf(outcome.model), bitsOf(short.model));
});

test('the model before the first step is never the best', async () => {
  const { result } = await run({
    evaluation: tinySamples(3, 8),
    options: {
      maxSteps: 4,
      evalStrategy: 'steps',
      evalSteps: 1,
      evalOnStart: true,
      metricForBestModel: 'score',
      earlyStoppingPatience: 2,
    },
    tap: (hooks) => {
      hooks.onEvaluate.tap(({ step, metrics }) => {
        metrics['score'] = step === 0 ? 9 : step;
      });
    },
  });
  assert.is(result.steps, 4);
});

test('saveStrategy best saves only what is better', async () => {
  const outputDir = temporaryFolder();
  await scripted([1, 2, 1.5, 3], {
    config: { outputDir },
    options: {
      maxSteps: 4,
      evalStrategy: 'steps',
      evalSteps: 1,
      metricForBestModel: 'score',
      saveStrategy: 'best',
    },
  });
  assert.equal(
    readdirSync(outputDir)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-1', 'checkpoint-2', 'checkpoint-4'],
  );
});

test('a loss that is not finite stops before the update and keeps the last checkpoint', async () => {
  const outputDir = temporaryFolder();
  let before: number[] = [];
  const failing = run({
    config: { outputDir },
    options: { saveStrategy: 'steps', saveSteps: 2 },
    tap: (hooks) => {
      hooks.onStepStart.tap((step) => {
        if (step.number === 4) step.model.parameters.get('head')!.data[0] = Number.NaN;
        before = bitsOf(step.model);
      });
    },
  });
  try {
    await failing;
    assert.unreachable();
  } catch (error) {
    const { code, message, hint, model } = error as Error & {
      code: string;
      hint: string;
      model: ReturnType<typeof tinyModel>;
    };
    assert.is(code, 'LMFLOW_LOSS_NOT_FINITE');
    assert.match(message, /step 4/);
    assert.match(message, /last checkpoint: .*checkpoint-2/);
    assert.match(hint, /^Lower learningRate/);
    assert.equal(bitsOf(model), before);
  }
  assert.ok(existsSync(join(outputDir, 'checkpoint-2')));
});

for (const options of [{}, { saveStrategy: 'steps', saveSteps: 1 } as const]) {
  test(`weights that are astronomically large do not end as done (${JSON.stringify(options)})`, async () => {
    const outputDir = temporaryFolder();
    const failed = await run({
      config: { outputDir },
      options: { maxSteps: 1, learningRate: 1e30, ...options },
    }).then(
      () => undefined,
      (error: unknown) => error as { code: string; message: string },
    );
    assert.is(failed?.code, 'LMFLOW_PARAMETERS_UNUSABLE');
    assert.match(failed!.message, /after step 1 .* holds -?\d/);
    assert.equal(
      readdirSync(outputDir).filter((name) => /^checkpoint|safetensors/.test(name)),
      [],
    );
  });
}

test('a step without a trained token changes nothing but is told', async () => {
  const train = samplesOf([
    { inputIds: Int32Array.of(1, 2, 3), labels: Int32Array.of(IGNORED, IGNORED, IGNORED) },
  ]);
  const { log, result } = await run({ train, options: { maxSteps: 1 } });
  assert.match(log.texts('warn').join(), /no trained token/);
  assert.equal(losses({ result } as RunOutcome), [0]);
});

test('a parameter that no gradient reaches ends the run at its first step, by name', async () => {
  const model = tinyModel();
  const before = bitsOf(model);
  model.parameters.set('spare', {
    name: 'spare',
    shape: [2],
    data: new Float32Array(2),
    decay: false,
  });
  const failed = await run({ model, options: { maxSteps: 1 } }).then(
    () => undefined,
    (error: unknown) => error as { code: string; message: string },
  );
  assert.is(failed?.code, 'LMFLOW_PARAMETERS_UNREACHED');
  assert.match(failed!.message, /step 1: no gradient reaches spare;/);
  model.parameters.delete('spare');
  assert.equal(bitsOf(model), before);
});

test('programs are compiled once for a shape and disposed', async () => {
  const engine = interpreterEngine();
  await run({
    engine,
    train: tinySamples(12),
    evaluation: tinySamples(4, 8),
    options: { maxSteps: 20 },
  });
  assert.is(
    new Set(engine.everCompiled.map((name) => name.split(' #')[0])).size,
    engine.everCompiled.length,
  );
  assert.is(engine.compiled.size, 0);
});

test('no program keeps the memory of its runs: several would each hold as much as the largest', async () => {
  const engine = interpreterEngine();
  const compile = engine.compile.bind(engine);
  const kept: unknown[] = [];
  engine.compile = (graph, options) => {
    if (options?.name?.startsWith('training') || options?.name?.startsWith('evaluation')) {
      kept.push(options.keepMemory);
    }
    return compile(graph, options);
  };
  await run({
    engine,
    train: tinySamples(12),
    evaluation: tinySamples(4, 8),
    options: { maxSteps: 10 },
  });
  assert.ok(kept.length > 2);
  assert.equal(new Set(kept), new Set([false]));
});

test('programs beyond the memory they may hold together are disposed, the least recently used first', async () => {
  const engine = interpreterEngine();
  const programs = new Programs({
    engine,
    model: tinyModel(),
    objective: tinyObjective,
    seed: 1,
    budget: 0,
  });
  const samples = tinySamples(8);
  const batch = (length: number): Batch =>
    collate([samples.get(0)], { multipleOf: length, cap: 64 });
  const first = await programs.run('training', { batch: batch(16), step: 1, micro: 0 });
  await programs.run('training', { batch: batch(24), step: 1, micro: 0 });
  assert.equal([...engine.compiled], ['training 1 x 24 #1']);
  assert.equal(
    (await programs.run('training', { batch: batch(16), step: 1, micro: 0 })).gradients,
    first.gradients,
  );
  await programs.run('evaluation', { batch: batch(16), step: 1, micro: 0 });
  assert.is(engine.everCompiled.length, 4);
  await programs.dispose();
  assert.is(engine.compiled.size, 0);
});

test('what cannot work is said before the first step', async () => {
  const cases: readonly [string, RunRequest][] = [
    ['LMFLOW_NO_EVALUATION_DATA', { options: { evalStrategy: 'steps' } }],
    ['LMFLOW_NO_EVALUATION_DATA', { options: { evalOnStart: true } }],
    [
      'LMFLOW_CONFIG_CONFLICT',
      { options: { loadBestModelAtEnd: true }, evaluation: tinySamples(2) },
    ],
    [
      'LMFLOW_CONFIG_CONFLICT',
      { options: { earlyStoppingPatience: 2 }, evaluation: tinySamples(2) },
    ],
    ['LMFLOW_CONFIG_OPTIMIZER', { options: { optim: 'adamw_torc' } }],
    [
      'LMFLOW_CONFIG_CONFLICT',
      { options: { optim: 'schedule_free_adamw', lrSchedulerType: 'cosine' } },
    ],
    ['LMFLOW_CONFIG_SCHEDULE', { options: { lrSchedulerType: 'steps' } }],
    ['LMFLOW_NO_SAMPLES', { train: samplesOf([]) }],
    ['LMFLOW_NOTHING_TO_TRAIN', { model: Object.assign(tinyModel(), { parameters: new Map() }) }],
    ['LMFLOW_CONFIG_INVALID', { options: { learningRate: -1 } }],
    ['LMFLOW_CONFIG_INVALID', { options: { reportTo: 'wandb' as never } }],
    ['LMFLOW_OPTION_UNSUPPORTED', { config: { bf16: true } }],
    [
      'LMFLOW_CONFIG_METRIC',
      {
        options: { evalStrategy: 'steps', evalSteps: 1, metricForBestModel: 'losss' },
        evaluation: tinySamples(2),
      },
    ],
  ];
  for (const [code, request] of cases) {
    assert.is(await codeOf(run(request)), code, JSON.stringify(request.options));
  }
});

test('optimizer and schedule are checked when a command asks for the trainer, before any model; rows of plugins count', async () => {
  const open = async (options: TrainerInput): Promise<void> => {
    const contribute: RunRequest['contribute'] = (context) => {
      context.contribute(OPTIMIZERS, { ...sgd, name: 'mine' });
    };
    await withTrainer({ options, contribute }, async () => undefined);
  };
  const wrong: readonly [string, TrainerInput][] = [
    ['LMFLOW_CONFIG_OPTIMIZER', { optim: 'AdamW' }],
    ['LMFLOW_CONFIG_OPTIMIZER_ARGUMENT', { optim: 'sgd', optimArgs: 'momentum=2' }],
    ['LMFLOW_CONFIG_CONFLICT', { optim: 'schedule_free_adamw' }],
    ['LMFLOW_CONFIG_SCHEDULE', { lrSchedulerType: 'cosin' }],
    ['LMFLOW_CONFIG_SCHEDULE_ARGUMENT', { lrSchedulerKwargs: { cycles: 1 } }],
  ];
  for (const [code, options] of wrong) {
    assert.is(await codeOf(open(options)), code);
  }
  assert.is(await codeOf(open({ optim: 'mine' })), 'no error');
  try {
    await open({ optim: 'AdamW' });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /did you mean "adamw_torch"/);
  }
});

test('two optimizers with one name in optim are refused', async () => {
  const contribute: RunRequest['contribute'] = (context) => {
    context.contribute(OPTIMIZERS, { ...sgd, name: 'mine', names: ['adamw_torch'] });
  };
  assert.is(await codeOf(run({ contribute })), 'LMFLOW_CONFIG_OPTIMIZER');
});

test.run();
