// A resumed run is the run that was not interrupted, bit for bit; what is damaged or changed is
// seen.
import { spawn } from 'node:child_process';
import {
  cpSync,
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  renameSync,
  rmSync,
  truncateSync,
  writeFileSync,
} from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TrainerInput } from '../src/index.ts';
import { inspectCheckpoint } from '../src/checkpoint/checkpoints.ts';
import {
  bitsOf,
  codeOf,
  fit,
  temporaryFolder,
  tinyModel,
  tinySamples,
  type RunOutcome,
  type RunRequest,
} from './kit.ts';
import { killedRun } from './killed.ts';

const base: TrainerInput = {
  maxSteps: 9,
  saveSteps: 2,
  loggingSteps: 3,
  learningRate: 0.05,
  weightDecay: 0.1,
  warmupSteps: 2,
  perDeviceTrainBatchSize: 2,
  evalStrategy: 'steps',
  evalSteps: 4,
};
const start = (
  outputDir: string,
  { options, config, ...request }: RunRequest = {},
): Promise<RunOutcome> =>
  fit({
    model: Object.assign(tinyModel(), { config: { dropout: 1 } }),
    evaluation: tinySamples(3, 8),
    ...request,
    options: { ...base, ...options },
    config: { outputDir, ...config },
  });
/** Trains up to a step and ends as Ctrl-C does. */
const until = (
  outputDir: string,
  number: number,
  options: TrainerInput = {},
  request: RunRequest = {},
): Promise<RunOutcome> => {
  const controller = new AbortController();
  return start(outputDir, {
    ...request,
    options,
    signal: controller.signal,
    tap: (hooks) => {
      hooks.onStep.tap((step) => {
        if (step.number === number) controller.abort();
      });
    },
  });
};
const timeless = ({ result }: RunOutcome): Record<string, number>[] =>
  result.log.map((entry) =>
    Object.fromEntries(Object.entries(entry).filter(([key]) => !/runtime|per_second/.test(key))),
  );
const checkpoints = (folder: string): string[] =>
  readdirSync(folder)
    .filter((name) => name.startsWith('checkpoint'))
    .sort();
const straight = await start(temporaryFolder());

for (const stop of [1, 4, 5, 8]) {
  test(`interrupted after step ${stop} and resumed: the same bits, the same log`, async () => {
    const folder = temporaryFolder();
    const first = await until(folder, stop);
    assert.ok(first.result.stoppedEarly && first.result.steps === stop);
    assert.not.ok(existsSync(join(folder, 'model.safetensors')), 'no result before the end');
    assert.match(first.log.texts('info').join(), /resume/);
    const resumed = await start(folder, { options: { resumeFromCheckpoint: true } });
    assert.match(
      resumed.log.texts('info').join(),
      new RegExp(`checkpoint-${stop}.*step ${stop} of 9`),
    );
    assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
    assert.equal(timeless(resumed), timeless(straight));
    assert.ok(
      readFileSync(join(folder, 'model.safetensors')).equals(
        readFileSync(join(straight.result.outputDir, 'model.safetensors')),
      ),
    );
    const lines = readFileSync(join(folder, 'trainer_log.jsonl'), 'utf8')
      .trim()
      .split('\n')
      .map((line) => (JSON.parse(line) as { current_steps: number }).current_steps);
    assert.equal(lines, [3, 4, 6, 8, 9, 9]);
  });
}

test('interrupted between two steps: the last one is saved', async () => {
  const [folder, controller] = [temporaryFolder(), new AbortController()];
  const { result } = await start(folder, {
    signal: controller.signal,
    tap: (hooks) => {
      hooks.onStep.tap(({ number }) => {
        if (number === 5) {
          setImmediate(() => {
            controller.abort();
          });
        }
      });
    },
  });
  assert.is(result.steps, 5); // a step at which nothing is logged, evaluated or saved
  assert.equal(checkpoints(folder), ['checkpoint-2', 'checkpoint-4', 'checkpoint-5']);
  const resumed = await start(folder, { options: { resumeFromCheckpoint: true } });
  assert.match(resumed.log.texts('info').join(), /checkpoint-5.*step 5 of 9/);
  assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
});

test('resumed from a named folder into another output folder', async () => {
  const [folder, other] = [temporaryFolder(), temporaryFolder()];
  await until(folder, 4);
  const resumed = await start(other, {
    options: { resumeFromCheckpoint: join(folder, 'checkpoint-4') },
  });
  assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
});

test('a run that is done is only written again', async () => {
  const folder = temporaryFolder();
  await start(folder);
  const again = await start(folder, { options: { resumeFromCheckpoint: true } });
  assert.is(again.result.steps, 9);
  assert.equal(bitsOf(again.model), bitsOf(straight.model));
});

test('an interrupted evaluation is done first after resuming', async () => {
  const folder = temporaryFolder();
  const controller = new AbortController();
  await start(folder, {
    signal: controller.signal,
    tap: (hooks) => {
      hooks.onBatch.tap((batch, step) => {
        if (step.mode === 'evaluation') controller.abort();
        return batch;
      });
    },
    options: { perDeviceEvalBatchSize: 1 },
  });
  const resumed = await start(folder, {
    options: { resumeFromCheckpoint: true, perDeviceEvalBatchSize: 1 },
  });
  assert.equal(
    resumed.result.log.filter((entry) => entry['eval_loss'] !== undefined).map(({ step }) => step),
    [4, 8, 9],
  );
  assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
});

test('an interrupted evaluation can still find the best model, or be the last', async () => {
  const tap: RunRequest['tap'] = (hooks) => {
    hooks.onEvaluate.tap(({ step, metrics }) => {
      metrics['score'] = step === 4 ? 5 : 0;
    });
  };
  for (const more of [
    { loadBestModelAtEnd: true, saveSteps: 4 },
    { earlyStoppingPatience: 1, evalSteps: 2, greaterIsBetter: false },
  ] satisfies TrainerInput[]) {
    const options: TrainerInput = {
      perDeviceEvalBatchSize: 1,
      metricForBestModel: 'score',
      ...more,
    };
    const whole = await start(temporaryFolder(), { options, tap });
    const [folder, controller] = [temporaryFolder(), new AbortController()];
    const interrupt: RunRequest['tap'] = (hooks) => {
      tap(hooks);
      hooks.onBatch.tap((batch, { mode, number }) => {
        if (mode === 'evaluation' && number === 4) controller.abort();
        return batch;
      });
    };
    assert.is(
      (await start(folder, { options, signal: controller.signal, tap: interrupt })).result.steps,
      4,
    );
    const resumed = await start(folder, {
      options: { ...options, resumeFromCheckpoint: true },
      tap,
    });
    assert.is(resumed.result.steps, whole.result.steps);
    assert.equal(bitsOf(resumed.model), bitsOf(whole.model));
  }
});

test('early stopping and the best model are remembered', async () => {
  const options: TrainerInput = {
    evalSteps: 1,
    saveSteps: 1,
    metricForBestModel: 'score',
    earlyStoppingPatience: 3,
    loadBestModelAtEnd: true,
  };
  const scores = [0, 5, 4, 3, 2, 1, 0];
  const tap: RunRequest['tap'] = (hooks) => {
    hooks.onEvaluate.tap(({ step, metrics }) => {
      metrics['score'] = scores[step - 1] ?? 0;
    });
  };
  const whole = await start(temporaryFolder(), { options, tap });
  assert.is(whole.result.steps, 5);
  const [folder, controller] = [temporaryFolder(), new AbortController()];
  await start(folder, {
    options,
    signal: controller.signal,
    tap: (hooks) => {
      tap(hooks);
      hooks.onStep.tap(({ number }) => {
        if (number === 4) controller.abort();
      });
    },
  });
  const moved = temporaryFolder();
  rmSync(moved, { recursive: true });
  renameSync(folder, moved);
  const resumed = await start(moved, { options: { ...options, resumeFromCheckpoint: true }, tap });
  mkdirSync(folder);
  assert.is(resumed.result.steps, 5);
  assert.equal(bitsOf(resumed.model), bitsOf(whole.model));
});

test('a damaged checkpoint is skipped with a message, the one before is taken', async () => {
  const damages: readonly [RegExp, (folder: string) => void][] = [
    [
      /optimizer.safetensors has/,
      (folder) => {
        truncateSync(join(folder, 'optimizer.safetensors'), 40);
      },
    ],
    [
      /model.safetensors is missing/,
      (folder) => {
        rmSync(join(folder, 'model.safetensors'));
      },
    ],
    [
      /trainer_state.json is damaged/,
      (folder) => {
        const file = join(folder, 'trainer_state.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('false', 'xalse'));
      },
    ],
    [
      /lmflow_state.json is missing/,
      (folder) => {
        rmSync(join(folder, 'lmflow_state.json'));
      },
    ],
    [
      /lmflow_state.json cannot be read/,
      (folder) => {
        truncateSync(join(folder, 'lmflow_state.json'), 100);
      },
    ],
    [
      /lmflow_state.json is damaged/,
      (folder) => {
        const file = join(folder, 'lmflow_state.json');
        writeFileSync(file, readFileSync(file, 'utf8').replace('"step": 7', '"step": 3'));
      },
    ],
  ];
  const made = temporaryFolder();
  await until(made, 7);
  assert.equal(checkpoints(made), ['checkpoint-2', 'checkpoint-4', 'checkpoint-6', 'checkpoint-7']);
  for (const [message, damage] of damages) {
    const folder = temporaryFolder();
    cpSync(made, folder, { recursive: true });
    damage(join(folder, 'checkpoint-7'));
    const resumed = await start(folder, { options: { resumeFromCheckpoint: true } });
    assert.match(resumed.log.texts('warn').join(), message);
    assert.match(resumed.log.texts('info').join(), /resumed from .*checkpoint-6/);
    assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
    assert.ok('own' in (await inspectCheckpoint(join(folder, 'checkpoint-8'))));
    assert.is(
      await codeOf(
        start(temporaryFolder(), { options: { resumeFromCheckpoint: join(made, 'nowhere') } }),
      ),
      'LMFLOW_CHECKPOINT_INVALID',
    );
  }
});

test('a changed setting that decides the result is named and refused, unless it is allowed', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  const changes: readonly [RegExp, RunRequest][] = [
    [/learningRate: 0.05 -> 0.01/, { options: { learningRate: 0.01 } }],
    [/totalSteps: 9 -> 12/, { options: { maxSteps: 12 } }],
    [/seed: 42 -> 1/, { config: { seed: 1 } }],
    [/gradientAccumulationSteps: 1 -> 2/, { options: { gradientAccumulationSteps: 2 } }],
    [/base: /, { model: otherBase() }], // same architecture, other weights
    [/trainSamples/, { train: tinySamples(10, 6) }],
    [/padToMultipleOf: 4 -> 8/, { options: { padToMultipleOf: 8 } }], // other dropout masks
    [
      /trainSamplingStrategy: "random" -> "sequential"/,
      { options: { trainSamplingStrategy: 'sequential' } },
    ],
  ];
  for (const [message, request] of changes) {
    const resuming = {
      ...request,
      options: { ...request.options, resumeFromCheckpoint: true as const },
    };
    try {
      await start(folder, resuming);
      assert.unreachable();
    } catch (error) {
      assert.is((error as { code?: string }).code, 'LMFLOW_RESUME_CHANGED');
      assert.match((error as Error).message, message);
    }
  }
  const allowed = await start(folder, {
    options: { learningRate: 0.01, allowConfigChange: true, resumeFromCheckpoint: true },
  });
  assert.match(allowed.log.texts('warn').join('\n'), /allowed.*learningRate: 0.05 -> 0.01/);
  assert.not.equal(bitsOf(allowed.model), bitsOf(straight.model));
});

function otherBase(): RunRequest['model'] {
  const model = Object.assign(tinyModel(), { config: { dropout: 1 } });
  for (const { data } of model.weights.values() as Iterable<{ data: Float32Array }>) data.fill(1);
  return model;
}

test('a changed setting that decides nothing is told', async () => {
  const folder = temporaryFolder();
  await until(folder, 4, {}, { description: { data: 'before' } });
  const resumed = await start(folder, {
    options: { saveSteps: 3, loggingSteps: 2, resumeFromCheckpoint: true },
    description: { data: 'after' },
  });
  assert.match(resumed.log.texts('warn').join('\n'), /saveSteps: 2 -> 3/);
  assert.match(resumed.log.texts('warn').join('\n'), /description.data: "before" -> "after"/);
  assert.equal(bitsOf(resumed.model), bitsOf(straight.model));
});

test('parameters that nobody restores, and a checkpoint without its optimizer, are refused', async () => {
  const folder = temporaryFolder();
  await until(folder, 4);
  assert.is(
    await codeOf(start(folder, { withoutMethod: true, options: { resumeFromCheckpoint: true } })),
    'LMFLOW_RESUME_INCOMPLETE',
  );
  const light = temporaryFolder();
  await until(light, 4, { saveOnlyModel: true });
  assert.not.ok(existsSync(join(light, 'checkpoint-4', 'optimizer.safetensors')));
  assert.is(
    await codeOf(
      start(temporaryFolder(), {
        options: { saveOnlyModel: true, resumeFromCheckpoint: join(light, 'checkpoint-4') },
      }),
    ),
    'LMFLOW_CHECKPOINT_INVALID',
  );
});

test('killed with SIGKILL at random moments: only whole checkpoints, and the same bits in the end', async () => {
  const expected = await fit(killedRun(temporaryFolder(), 0));
  const folder = temporaryFolder();
  let kills = 0;
  for (let attempt = 0; ; attempt++) {
    assert.ok(attempt < 12, 'it did not end');
    const child = spawn(
      process.execPath,
      [
        '--conditions=lmflow-source',
        '--import',
        'tsx',
        join(import.meta.dirname, 'killed.ts'),
        folder,
      ],
      { stdio: ['ignore', 'pipe', 'pipe'] },
    );
    let errors = '';
    child.stderr.on('data', (data: Buffer) => {
      errors += data.toString();
    });
    const ended = new Promise<number | null>((resolve) => {
      child.on('exit', (code) => {
        resolve(code);
      });
    });
    if (kills < 3) {
      const before = Math.max(0, ...checkpoints(folder).map((name) => Number(name.split('-')[1])));
      while (child.exitCode === null && !existsSync(join(folder, `checkpoint-${before + 2}`))) {
        await sleep(2);
      }
      await sleep(Math.random() * 80);
      if (child.kill('SIGKILL')) kills++;
    }
    const code = await ended;
    for (const name of checkpoints(folder)) {
      assert.ok('own' in (await inspectCheckpoint(join(folder, name))), `${name} is not whole`);
    }
    if (code === 0) break;
    assert.ok(code === null, `attempt ${attempt} ended with ${code}: ${errors}`);
  }
  assert.is(kills, 3);
  assert.ok(
    readFileSync(join(folder, 'model.safetensors')).equals(
      readFileSync(join(expected.result.outputDir, 'model.safetensors')),
    ),
  );
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    [],
  );
});

test.run();
