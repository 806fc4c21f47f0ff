// A run killed with SIGKILL at a random moment and resumed ends bit for bit like one that was not;
// Ctrl-C saves and ends with code 130.
import { existsSync, readFileSync, readdirSync } from 'node:fs';
import { join } from 'node:path';
import { setTimeout as sleep } from 'node:timers/promises';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { lmflow, project, start } from './project.ts';

const settings = [
  '--model',
  'model',
  '--from-scratch',
  '--dataset',
  'data.json',
  '--validation-split',
  '8',
  '--per-device-train-batch-size',
  '2',
  '--gradient-accumulation-steps',
  '2',
  '--max-steps',
  '40',
  '--save-steps',
  '4',
  '--eval-strategy',
  'steps',
  '--eval-steps',
  '10',
  '--logging-steps',
  '1',
  '--learning-rate',
  '1e-2',
  '--save-total-limit',
  '3',
];
const methods = {
  lora: ['--preset', 'lora', '--lora-r', '4', '--lora-dropout', '0.1'],
  finetune: ['--preset', 'finetune', '--packing', '--block-size', '64'],
};
const results = { lora: 'adapter_model.safetensors', finetune: 'model.safetensors' };

interface Entry {
  readonly loss?: number;
  readonly eval_loss?: number;
  readonly step: number;
}

const history = (folder: string): Entry[] =>
  (
    JSON.parse(readFileSync(join(folder, 'out', 'trainer_state.json'), 'utf8')) as {
      log_history: Entry[];
    }
  ).log_history
    .filter(({ loss, eval_loss }) => loss !== undefined || eval_loss !== undefined)
    .map(({ loss, eval_loss, step }) => ({ loss, eval_loss, step }));
const checkpoints = (folder: string): string[] =>
  existsSync(join(folder, 'out'))
    ? readdirSync(join(folder, 'out')).filter((name) => name.startsWith('checkpoint-'))
    : [];

for (const method of ['lora', 'finetune'] as const) {
  test(`${method}: killed and resumed, it ends as if nothing had happened`, async () => {
    const args = ['finetune', ...methods[method], ...settings, '--output-dir', 'out'];
    const straight = project();
    await lmflow(straight, args);

    const folder = project();
    let kills = 0;
    for (let attempt = 0; attempt < 12; attempt++) {
      const { child, ended } = start(
        folder,
        attempt === 0 ? args : [...args, '--resume-from-checkpoint'],
      );
      const known = checkpoints(folder).length;
      let over = false;
      void ended.then(() => {
        over = true;
      });
      // Let it get further than last time (or write its first checkpoint), then kill it at a moment
      // nobody chose.
      if (kills < 3) {
        while (!over && checkpoints(folder).length <= Math.min(known, 2)) await sleep(5);
        await sleep(Math.random() * 150);
        if (!over) {
          child.kill('SIGKILL');
          kills++;
        }
      }
      const { code, output } = await ended;
      if (code === 0) break;
      assert.ok(code === null, `attempt ${attempt} ended with code ${code}:\n${output}`);
    }
    assert.ok(kills > 0, 'it was never killed');
    assert.ok(existsSync(join(folder, 'out', results[method])), 'it never ended');
    assert.ok(
      readFileSync(join(folder, 'out', results[method])).equals(
        readFileSync(join(straight, 'out', results[method])),
      ),
      'the weights differ',
    );
    assert.equal(history(folder), history(straight));
  });
}

test('Ctrl-C finishes the step, saves, and says how to go on', async () => {
  const folder = project();
  // Nothing is logged or saved between the first step and Ctrl-C: the checkpoint is Ctrl-C's own.
  const long = [
    '--max-steps',
    '100000',
    '--save-steps',
    '100000',
    '--logging-steps',
    '100000',
    '--eval-strategy',
    'no',
    '--logging-first-step',
  ];
  const { child, ended } = start(folder, [
    'finetune',
    ...methods.lora,
    ...settings,
    ...long,
    '--output-dir',
    'out',
  ]);
  const log = join(folder, 'out', 'trainer_log.jsonl');
  while (!existsSync(log) || readFileSync(log, 'utf8') === '') await sleep(20);
  await sleep(100);
  child.kill('SIGINT');
  const { code, output } = await ended;
  assert.is(code, 130, output);
  assert.match(output, /resume/i);
  const last = Number(/stopped after step (\d+)/.exec(output)![1]);
  assert.equal(checkpoints(folder), [`checkpoint-${last}`]);
  const { global_step: step } = JSON.parse(
    readFileSync(join(folder, 'out', `checkpoint-${last}`, 'trainer_state.json'), 'utf8'),
  ) as { global_step: number };
  assert.is(step, last);
});

test.run();
