// Taps: whose they are, their order, their failures and their times.
import { AsyncSeriesHook } from 'tapable';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { LMFlowError, Stage, type Hooks, type Metrics, type Step } from '@lmflow/sdk';
import { createTestKernel } from '../src/testing/index.ts';
import { asynchronous, plugin, refuses } from './samples.ts';

const step = {} as Step;
const metrics: Metrics = { kind: 'train', step: 1, values: {} };

test('a tap belongs to the plugin whose apply made it, whatever name it gives', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onStep.tap('somebody else', () => undefined);
      }),
    ],
  });
  assert.equal(kernel.taps()['onStep'], [{ plugin: 'a', stage: 0 }]);
  await kernel.close();
});

test('order: stage, then plugin', async () => {
  const order: string[] = [];
  const taps = (name: string) =>
    plugin(name, ({ hooks }) => {
      hooks.onStep.tap({ name, stage: Stage.Late }, () => {
        order.push(`${name} late`);
      });
      hooks.onStep.tap(name, () => {
        order.push(name);
      });
      hooks.onStep.tapPromise({ name, stage: Stage.Early }, async () => {
        order.push(`${name} early`);
      });
    });
  const { kernel } = await createTestKernel({ plugins: [taps('a'), taps('b')] });
  await kernel.hooks.onStep.promise(step);
  assert.equal(order, ['a early', 'b early', 'a', 'b', 'a late', 'b late']);
  await kernel.close();
});

for (const [kind, tap] of [
  [
    'tap',
    (hooks: Hooks) => {
      hooks.onStep.tap('x', () => {
        throw new TypeError('no luck');
      });
    },
  ],
  [
    'tapPromise',
    (hooks: Hooks) => {
      hooks.onStep.tapPromise('x', async () => {
        throw new TypeError('no luck');
      });
    },
  ],
] as const) {
  test(`a failure in ${kind} names plugin and hook, and keeps its cause`, async () => {
    const { kernel } = await createTestKernel({
      plugins: [
        plugin('a', ({ hooks }) => {
          tap(hooks);
        }),
      ],
    });
    const error = await refuses('LMFLOW_HOOK_FAILED', /a failed in onStep: no luck/, () =>
      kernel.hooks.onStep.promise(step),
    );
    assert.instance(error.cause, TypeError);
    assert.equal([error.plugin, error.hook], ['a', 'onStep']);
    await kernel.close();
  });
}

test('an LMFlowError keeps code and message and gains plugin and hook; the innermost hook counts', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('inner', ({ hooks }) => {
        hooks.onEvaluate.tapPromise('x', async () => {
          throw new LMFlowError('LMFLOW_MINE', 'mine');
        });
      }),
      plugin('outer', ({ hooks }) => {
        hooks.onStep.tapPromise('x', async () => {
          await hooks.onEvaluate.promise({} as never);
        });
      }),
    ],
  });
  const error = await refuses('LMFLOW_MINE', /^mine/, () => kernel.hooks.onStep.promise(step));
  assert.equal([error.plugin, error.hook], ['inner', 'onEvaluate']);
  await kernel.close();
});

test('a failure inside a failure is not wrapped again', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('inner', ({ hooks }) => {
        hooks.onEvaluate.tap('x', () => {
          throw new Error('no luck');
        });
      }),
      plugin('outer', ({ hooks }) => {
        hooks.onStep.tapPromise('x', async () => {
          await hooks.onEvaluate.promise({} as never);
        });
      }),
    ],
  });
  await refuses('LMFLOW_HOOK_FAILED', /^inner failed in onEvaluate: no luck/, () =>
    kernel.hooks.onStep.promise(step),
  );
  await kernel.close();
});

test('an abort stays an abort', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onStep.tapPromise('x', async () => {
          AbortSignal.abort().throwIfAborted();
        });
      }),
    ],
  });
  try {
    await kernel.hooks.onStep.promise(step);
    assert.unreachable();
  } catch (error) {
    assert.is((error as Error).name, 'AbortError');
  }
  await kernel.close();
});

test('a sink of onMetrics that fails warns once, and the next one is called', async () => {
  let calls = 0;
  const { kernel, log } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onMetrics.tap('x', () => {
          throw new Error('disk full');
        });
      }),
      plugin('b', ({ hooks }) => {
        hooks.onMetrics.tap('x', () => {
          calls += 1;
        });
      }),
    ],
  });
  kernel.hooks.onMetrics.call(metrics);
  kernel.hooks.onMetrics.call(metrics);
  assert.is(calls, 2);
  assert.equal(log.texts('warn').length, 1);
  assert.match(log.texts('warn')[0]!, /a failed in onMetrics: disk full/);
  await kernel.close();
});

test('a waterfall hands values on; undefined keeps the last one', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onBatch.tapPromise('x', async (batch) => ({ ...batch, tokens: 2 }));
      }),
      plugin('b', ({ hooks }) => {
        hooks.onBatch.tap('x', () => undefined);
      }),
      plugin('c', ({ hooks }) => {
        hooks.onBatch.tap('x', (batch) => ({ ...batch, tokens: batch.tokens + 1 }));
      }),
    ],
  });
  assert.is((await kernel.hooks.onBatch.promise({ tokens: 0 } as never, step)).tokens, 3);
  await kernel.close();
});

test('who answers onGenerate first, answers', async () => {
  const answer = (name: string, session: unknown) =>
    plugin(name, ({ hooks }) => {
      hooks.onGenerate.tapPromise('x', async () => session as never);
    });
  const { kernel } = await createTestKernel({
    plugins: [answer('a', undefined), answer('b', 'b'), answer('c', 'c')],
  });
  assert.is(await kernel.hooks.onGenerate.promise({} as never), 'b');
  await kernel.close();
});

test('times are kept by plugin and hook', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onStep.tapPromise('x', async () => {
          await new Promise((resolve) => setTimeout(resolve, 15));
        });
      }),
    ],
  });
  await kernel.hooks.onStep.promise(step);
  await kernel.hooks.onStep.promise(step);
  const [time] = kernel.inspect().times;
  assert.equal([time?.plugin, time?.hook, time?.calls], ['a', 'onStep', 2]);
  assert.ok(time!.milliseconds > 25);
  await kernel.close();
});

test("a plugin's own hook is attributed like any other", async () => {
  type Mine = Hooks & { readonly onMine: Hooks['onClose'] };
  const owner = plugin('owner', (context) => {
    context.defineHook('onMine' as keyof Hooks, new AsyncSeriesHook<[]>([]));
  });
  const user = plugin(
    'user',
    ({ hooks }) => {
      (hooks as Mine).onMine.tap('x', () => {
        throw new Error('no luck');
      });
    },
    { requires: ['owner'] },
  );
  const { kernel } = await createTestKernel({ plugins: [user, owner] });
  await refuses('LMFLOW_HOOK_FAILED', /user failed in onMine: no luck/, () =>
    (kernel.hooks as Mine).onMine.promise(),
  );
  await kernel.close();
});

test('an onStep tap that returns a promise to tap() is told to use tapPromise', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onStep.tap('x', asynchronous);
      }),
    ],
  });
  await refuses('LMFLOW_HOOK_TAP_INVALID', /use tapPromise/, () =>
    kernel.hooks.onStep.promise(step),
  );
  await kernel.close();
});

test.run();
