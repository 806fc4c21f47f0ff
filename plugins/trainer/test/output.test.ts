// The output folder: choices about what is in it, and what a run leaves there.
import {
  existsSync,
  mkdirSync,
  readdirSync,
  readFileSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { hostname } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { TrainerInput } from '../src/index.ts';
import { lossChart } from '../src/report/loss-chart.ts';
import {
  codeOf,
  fit,
  samplesOf,
  temporaryFolder,
  tinyModel,
  tinyObjective,
  tinySamples,
  type RunOutcome,
  type RunRequest,
} from './kit.ts';

const base: TrainerInput = {
  maxSteps: 4,
  loggingSteps: 1,
  saveSteps: 2,
  learningRate: 0.05,
  perDeviceTrainBatchSize: 2,
};
const start = (outputDir: string, { options, ...request }: RunRequest = {}): Promise<RunOutcome> =>
  fit({ ...request, options: { ...base, ...options }, config: { outputDir } });
const json = <T = Record<string, unknown>>(...path: string[]): T =>
  JSON.parse(readFileSync(join(...path), 'utf8')) as T;

test('one run at a time in a folder; the lock of a process that is gone is taken over', async () => {
  const folder = temporaryFolder();
  const file = join(folder, '.lmflow-lock');
  const lock = (owner: Record<string, unknown>): void => {
    writeFileSync(file, JSON.stringify({ host: hostname(), since: Date.now(), ...owner }));
  };
  const busy = async (): Promise<void> => {
    const held = readFileSync(file, 'utf8');
    assert.is(await codeOf(start(folder)), 'LMFLOW_OUTPUT_BUSY');
    assert.is(readFileSync(file, 'utf8'), held, 'the lock is left alone');
    assert.equal(readdirSync(folder), ['.lmflow-lock']);
  };
  lock({ pid: process.ppid });
  await busy();
  lock({ pid: 1, host: 'another-machine' });
  await busy();
  lock({ pid: process.pid });
  await busy();
  const long = new Date(Date.now() - 3_600_000);
  utimesSync(file, long, long);
  await start(folder);
  assert.not(existsSync(file), 'given free at the end');
  for (const gone of [{ pid: 2 ** 22 + 1 }, { pid: process.pid, since: 1 }]) {
    lock(gone);
    await start(folder, { options: { overwriteOutputDir: true } });
    assert.not(existsSync(file));
  }
});

test('two runs that begin at once in one folder: one of them gets it', async () => {
  const folder = temporaryFolder();
  const codes = await Promise.all([start(folder), start(folder), start(folder)].map(codeOrNothing));
  assert.equal(codes.sort(), ['LMFLOW_OUTPUT_BUSY', 'LMFLOW_OUTPUT_BUSY', undefined]);
  assert.ok(existsSync(join(folder, 'checkpoint-4')));
});

async function codeOrNothing(run: Promise<unknown>): Promise<string | undefined> {
  try {
    await run;
    return undefined;
  } catch (error) {
    return (error as { code: string }).code;
  }
}

test('a folder with content is refused, overwritten or resumed by choice', async () => {
  const folder = join(temporaryFolder(), 'deep', 'out');
  await start(folder);
  try {
    await start(folder);
    assert.unreachable();
  } catch (error) {
    assert.is((error as { code?: string }).code, 'LMFLOW_OUTPUT_NOT_EMPTY');
    assert.match((error as Error).message, /checkpoint-4/);
    assert.match(
      (error as { hint: string }).hint,
      /--resume-from-checkpoint.*--overwrite-output-dir/,
    );
  }
  writeFileSync(join(folder, 'notes.txt'), 'mine');
  const { log } = await start(folder, { options: { overwriteOutputDir: true, saveSteps: 3 } });
  assert.match(log.texts('info').join(), /2 old checkpoints removed/);
  assert.equal(
    readdirSync(folder)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-3', 'checkpoint-4'],
  );
  assert.is(readFileSync(join(folder, 'notes.txt'), 'utf8'), 'mine');
  const other = temporaryFolder();
  writeFileSync(join(other, 'notes.txt'), 'mine');
  assert.is(await codeOf(start(other)), 'LMFLOW_OUTPUT_NOT_EMPTY');
  assert.match(
    (await start(other, { options: { resumeFromCheckpoint: true } })).log.texts('info').join(),
    /no checkpoint in .* yet/,
  );
});

test('overwriting removes results of another kind, but never the model that is trained', async () => {
  const results = [
    'adapter_model.safetensors',
    'adapter_config.json',
    'model-00001-of-00002.safetensors',
    'model.safetensors.index.json',
  ];
  const folder = temporaryFolder();
  for (const file of [...results, 'notes.txt']) writeFileSync(join(folder, file), 'old');
  await start(folder, { options: { overwriteOutputDir: true } });
  assert.equal(
    [...results, 'notes.txt'].filter((file) => existsSync(join(folder, file))),
    ['notes.txt'],
  );
  const same = temporaryFolder();
  for (const file of results) writeFileSync(join(same, file), 'old');
  await start(same, {
    model: Object.assign(tinyModel(), { folder: same }),
    options: { overwriteOutputDir: true },
  });
  assert.equal(
    results.filter((file) => existsSync(join(same, file))),
    results.slice(2),
  );
});

test('going on from an earlier checkpoint of the folder removes the later ones, by explicit choice', async () => {
  const folder = temporaryFolder();
  await start(folder);
  const resumeFromCheckpoint = join(folder, 'checkpoint-2');
  assert.is(
    await codeOf(start(folder, { options: { resumeFromCheckpoint } })),
    'LMFLOW_OUTPUT_NOT_EMPTY',
  );
  assert.ok(existsSync(join(folder, 'checkpoint-4')));
  const { log } = await start(folder, {
    options: { resumeFromCheckpoint, overwriteOutputDir: true },
  });
  assert.match(log.texts('info').join(), /1 old checkpoint removed/);
  assert.equal(
    readdirSync(folder)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-2', 'checkpoint-4'],
  );
});

test('names that start with a dot do not count, and leftovers of a killed run are removed', async () => {
  const folder = temporaryFolder();
  writeFileSync(join(folder, '.gitkeep'), '');
  mkdirSync(join(folder, '.writing-checkpoint-7'));
  await start(folder);
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith('.')),
    ['.gitkeep'],
  );
});

test('an output folder that cannot be made is told', async () => {
  const file = join(temporaryFolder(), 'file');
  writeFileSync(file, '');
  assert.is(await codeOf(start(join(file, 'out'))), 'LMFLOW_OUTPUT_UNWRITABLE');
});

test('a disk that fills up is told as that, and what was half written gives its room back', async () => {
  const folder = temporaryFolder();
  const failing =
    (kind: string): RunRequest['tap'] =>
    (hooks) => {
      hooks.onSave.tap((checkpoint) => {
        if (checkpoint.kind === kind && checkpoint.step > 2) {
          throw Object.assign(new Error('ENOSPC: no space left on device, write'), {
            code: 'ENOSPC',
          });
        }
      });
    };
  assert.is(
    await codeOf(start(folder, { tap: failing('checkpoint') })),
    'LMFLOW_OUTPUT_UNWRITABLE',
  );
  assert.equal(readdirSync(folder).sort(), ['checkpoint-2', 'trainer_log.jsonl']);
  assert.is(
    await codeOf(start(folder, { tap: failing('final'), options: { resumeFromCheckpoint: true } })),
    'LMFLOW_OUTPUT_UNWRITABLE',
  );
  assert.equal(readdirSync(folder).sort(), ['checkpoint-2', 'checkpoint-4', 'trainer_log.jsonl']);
});

test('a dry run prints the plan and touches nothing', async () => {
  const folder = join(temporaryFolder(), 'out');
  const { result, log } = await start(folder, {
    dryRun: true,
    evaluation: tinySamples(3, 8),
    options: { maxSteps: -1, numTrainEpochs: 2, gradientAccumulationSteps: 2 },
  });
  assert.is(result.steps, 0);
  assert.not.ok(existsSync(folder));
  const [plan] = log.texts('table');
  for (const part of [
    '96 of 96 (100%)',
    '10 to train on, 3 to evaluate on',
    '6 (2 epochs of 3)',
    '4 sequences a step (2 x 2 accumulated)',
    'adamw_torch, learning rate 0.05',
    'weights 384 B, gradients 768 B, optimizer 768 B',
    folder,
  ]) {
    assert.ok(plan!.includes(part), `${part} is not in\n${plan}`);
  }
  const event = log.said.find(({ data }) => data?.['type'] === 'plan')!.data as {
    memory: { total: number };
    effectiveBatch: number;
  };
  assert.is(event.effectiveBatch, 4);
  const filled = temporaryFolder();
  writeFileSync(join(filled, 'x'), '');
  assert.match(
    (await start(filled, { dryRun: true })).log.texts('table')[0]!,
    /not empty: training needs/,
  );
});

test('plans are of largest batches, padded and joined, and differ only where models do', async () => {
  const shapes = async (lengths: readonly number[]): Promise<string[]> => {
    const found: string[] = [];
    const train = samplesOf(
      lengths.map((length) => ({
        inputIds: new Int32Array(length).fill(3),
        labels: new Int32Array(length).fill(3),
      })),
    );
    await start(join(temporaryFolder(), 'out'), {
      train,
      dryRun: true,
      objective: { ...tinyObjective, perToken: true },
      options: { perDeviceTrainBatchSize: 4, paddingFree: true },
      tap: ({ onBatch }) => {
        onBatch.tap((batch, { number }) => {
          found.push(`${number}: ${batch.size} x ${batch.length}`);
          return batch;
        });
      },
    });
    return found;
  };
  assert.equal(await shapes([12, 12, 12, 12]), ['0: 4 x 12']);
  assert.equal(await shapes([12, 11, 12, 4]), ['0: 4 x 12', '0: 1 x 40']);

  const totals: number[] = [];
  const { log } = await start(join(temporaryFolder(), 'out'), {
    dryRun: true,
    tap: ({ onPlan }) => {
      onPlan.tap(async (planning) => {
        totals.push((await planning.memory()).total);
        const taken = Buffer.alloc(64e6, 1);
        totals.push((await planning.memory()).total, taken.length);
      });
    },
  });
  const planned = (
    log.said.find(({ data }) => data?.['type'] === 'plan')!.data as { memory: { total: number } }
  ).memory.total;
  assert.equal(totals.slice(0, 2), [planned, planned]);
});

test('the files of a run', async () => {
  const folder = temporaryFolder();
  const { result } = await start(folder, {
    evaluation: tinySamples(3, 8),
    options: { evalStrategy: 'steps', evalSteps: 2, runName: 'A tiny run' },
    description: {
      data: [{ name: 'poems.json', records: 1234 }],
      trained: 'everything',
      frontMatter: { license: 'mit' },
    },
  });
  assert.equal(readdirSync(folder).sort(), [
    'README.md',
    'all_results.json',
    'checkpoint-2',
    'checkpoint-4',
    'eval_results.json',
    'model.safetensors',
    'train_results.json',
    'trainer_log.jsonl',
    'trainer_state.json',
    'training_loss.svg',
  ]);
  assert.equal(readdirSync(join(folder, 'checkpoint-4')).sort(), [
    'lmflow_state.json',
    'model.safetensors',
    'optimizer.safetensors',
    'trainer_state.json',
    'training_args.json',
  ]);
  const state = json<{ log_history: Record<string, number>[] }>(folder, 'trainer_state.json');
  assert.equal(Object.keys(state), [
    'best_global_step',
    'best_metric',
    'best_model_checkpoint',
    'epoch',
    'eval_steps',
    'global_step',
    'is_hyper_param_search',
    'is_local_process_zero',
    'is_world_process_zero',
    'log_history',
    'logging_steps',
    'max_steps',
    'num_input_tokens_seen',
    'num_train_epochs',
    'save_steps',
    'stateful_callbacks',
    'total_flos',
    'train_batch_size',
    'trial_name',
    'trial_params',
  ]);
  assert.equal(Object.keys(state.log_history[0]!), [
    'doubled',
    'epoch',
    'grad_norm',
    'learning_rate',
    'loss',
    'step',
  ]);
  assert.equal(Object.keys(state.log_history.at(-1)!), [
    'epoch',
    'step',
    'total_flos',
    'train_loss',
    'train_runtime',
    'train_samples_per_second',
    'train_steps_per_second',
  ]);
  const lines = readFileSync(join(folder, 'trainer_log.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line) as Record<string, unknown>);
  assert.equal(Object.keys(lines[0]!), [
    'current_steps',
    'total_steps',
    'loss',
    'lr',
    'throughput',
    'epoch',
    'percentage',
    'elapsed_time',
    'remaining_time',
    'total_tokens',
  ]);
  assert.equal(
    lines.map((line) => 'eval_loss' in line),
    [false, false, true, false, false, true],
  );
  assert.is(json(folder, 'eval_results.json')['eval_loss'], result.evaluation!['loss']);
  assert.is(json(folder, 'all_results.json')['train_loss'], result.trainLoss);
  assert.is(json(folder, 'checkpoint-2', 'training_args.json')['learningRate'], 0.05);
  const card = readFileSync(join(folder, 'README.md'), 'utf8');
  for (const part of [
    'license: "mit"',
    '# A tiny run',
    'name: poems.json, records: 1,234',
    '- trained: everything',
    '| steps | 4 |',
    '| evaluation loss |',
    '![Loss](training_loss.svg)',
  ]) {
    assert.ok(card.includes(part), `${part} is not in\n${card}`);
  }
});

test('the card names the base model of the hub, not a local folder of such a name', async () => {
  const card = async (folder: string): Promise<string> => {
    const outputDir = temporaryFolder();
    await start(outputDir, {
      model: Object.assign(tinyModel(), { source: 'models/tiny', folder }),
    });
    return readFileSync(join(outputDir, 'README.md'), 'utf8');
  };
  assert.match(
    await card('/cache/models--models--tiny/snapshots/1'),
    /^base_model: "models\/tiny"$/m,
  );
  assert.not.match(await card(resolve('models/tiny')), /base_model/);
});

test('the limit keeps the latest checkpoints', async () => {
  const folder = temporaryFolder();
  await start(folder, { options: { maxSteps: 7, saveSteps: 1, saveTotalLimit: 2 } });
  assert.equal(
    readdirSync(folder)
      .filter((name) => name.startsWith('checkpoint'))
      .sort(),
    ['checkpoint-6', 'checkpoint-7'],
  );
});

test('saveStrategy no leaves no checkpoint', async () => {
  const folder = temporaryFolder();
  await start(folder, { options: { saveStrategy: 'no' } });
  assert.equal(
    readdirSync(folder).filter((name) => name.startsWith('checkpoint')),
    [],
  );
  assert.ok(existsSync(join(folder, 'model.safetensors')));
});

test('the loss curve: a whole SVG, also of nothing', () => {
  const log = Array.from({ length: 30 }, (_, index) => ({
    step: index + 1,
    loss: 3 * Math.exp(-index / 10) + 1,
    ...(index % 10 === 9 ? { eval_loss: 2 - index / 40 } : {}),
  }));
  const chart = lossChart(log, 'Loss of <a & b>');
  assert.ok(chart.startsWith('<svg') && chart.trimEnd().endsWith('</svg>'));
  assert.match(chart, /&#60;a &#38; b&#62;/);
  assert.match(chart, />step<.*>loss</s);
  assert.is(chart.match(/<circle/g)!.length, 3);
  assert.match(chart, /prefers-color-scheme: dark/);
  for (const entries of [[], [{ step: 1, loss: 2 }], [{ step: 1, loss: Number.NaN }]]) {
    assert.not.match(lossChart(entries, 't'), /NaN|Infinity/);
  }
});

test.run();
