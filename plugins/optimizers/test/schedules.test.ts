// The schedules' shape: where they begin, end and turn. Their rates are compared with transformers'
// in plugin trainer.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { OPTIMIZERS, SCHEDULES, type ScheduleArguments } from '@lmflow/sdk';
import { createTestKernel } from 'lmflow/testing';
import optimizersPlugin from '../src/index.ts';
import { schedules } from '../src/schedules.ts';
import { optimizers } from '../src/table.ts';

const NEEDED: Readonly<Record<string, ScheduleArguments>> = {
  cosine_with_min_lr: { min_lr: 1e-4 },
  warmup_stable_decay: { num_decay_steps: 5 },
};
const run = { totalSteps: 20, warmupSteps: 4, learningRate: 1e-3 };

for (const schedule of schedules) {
  const { name } = schedule;
  test(`${name} rises in its warmup and stays between 0 and 1`, () => {
    const defaults = Object.entries(schedule.arguments ?? {}).filter(
      ([, one]) => one !== undefined,
    );
    const settings = { ...Object.fromEntries(defaults), ...NEEDED[name] } as ScheduleArguments;
    assert.is(schedule.conflict?.(settings, run), undefined);
    const factors = Array.from({ length: 20 }, (_, step) =>
      schedule.factor({ ...run, step }, settings),
    );
    assert.ok(factors.every((factor) => factor >= 0 && factor <= 1));
    const warmup = factors.slice(0, 5);
    if (schedule.warmsUp === false) assert.equal(warmup, [1, 1, 1, 1, 1]);
    else {
      assert.is(warmup[0], 0);
      assert.is(warmup[4], 1);
      assert.ok(warmup.every((factor, step) => step === 0 || factor > warmup[step - 1]!));
    }
  });
}

test('the plugin contributes every row', async () => {
  const { kernel } = await createTestKernel({ plugins: [optimizersPlugin()] });
  assert.equal([...kernel.rows(OPTIMIZERS)], [...optimizers]);
  assert.equal([...kernel.rows(SCHEDULES)], [...schedules]);
  await kernel.close();
});

test('the README names every row, and every argument of an optimizer with its default', () => {
  const readme = readFileSync(join(import.meta.dirname, '..', 'README.md'), 'utf8');
  for (const { name } of schedules) assert.ok(readme.includes(`\`${name}\``), name);
  for (const row of optimizers) {
    const names = row.names ?? [row.name];
    const line = readme.split('\n').find((text) => text.startsWith(`| \`${names[0]}\``));
    assert.ok(line !== undefined, names[0]);
    for (const [argument, value] of Object.entries(row.arguments ?? {})) {
      const [, shown] = new RegExp(`\`${argument}\` ([^,;|: ]+)`).exec(line) ?? [];
      const wanted = typeof value === 'number' ? Number(shown) : shown;
      assert.is(wanted, typeof value === 'boolean' ? String(value) : value, argument);
    }
  }
});

test.run();
