// Taps: whose they are, their order, their failures and their times.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { inputError, type Hooks, type Metrics, type Step } from '@lmflow/sdk';
import { createTestKernel } from '../src/testing/index.ts';
import { asynchronous, plugin, refuses } from './samples.ts';

const step = {} as Step;
const metrics: Metrics = { kind: 'train', step: 1, values: {} };

test('a tap belongs to the plugin whose apply made it', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onStep.tap(() => undefined);
      }),
    ],
  });
  assert.equal(kernel.taps()['onStep'], [{ plugin: 'a' }]);
  await kernel.close();
});

test('a synchronous hook says whether anybody taps it', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onLogits.tap(() => undefined);
      }),
    ],
  });
  assert.equal([kernel.hooks.onLogits.tapped, kernel.hooks.onMetrics.tapped], [true, false]);
  await kernel.close();
});

test('order: enforce, then plugin', async () => {
  const order: string[] = [];
  const taps = (name: string) =>
    plugin(name, ({ hooks }) => {
      hooks.onStep.tap(
        () => {
          order.push(`${name} late`);
        },
        { enforce: 'post' },
      );
      hooks.onStep.tap(() => {
        order.push(name);
      });
      hooks.onStep.tap(
        async () => {
          order.push(`${name} early`);
        },
        { enforce: 'pre' },
      );
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
      hooks.onStep.tap(() => {
        throw new TypeError('no luck');
      });
    },
  ],
  [
    'tapPromise',
    (hooks: Hooks) => {
      hooks.onStep.tap(async () => {
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
        hooks.onEvaluate.tap(async () => {
          throw inputError('LMFLOW_MINE', 'mine');
        });
      }),
      plugin('outer', ({ hooks }) => {
        hooks.onStep.tap(async () => {
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
        hooks.onEvaluate.tap(() => {
          throw new Error('no luck');
        });
      }),
      plugin('outer', ({ hooks }) => {
        hooks.onStep.tap(async () => {
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
        hooks.onStep.tap(async () => {
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
        hooks.onMetrics.tap(() => {
          throw new Error('disk full');
        });
      }),
      plugin('b', ({ hooks }) => {
        hooks.onMetrics.tap(() => {
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
        hooks.onBatch.tap(async (batch) => ({ ...batch, tokens: 2 }));
      }),
      plugin('b', ({ hooks }) => {
        hooks.onBatch.tap(() => undefined);
      }),
      plugin('c', ({ hooks }) => {
        hooks.onBatch.tap((batch) => ({ ...batch, tokens: batch.tokens + 1 }));
      }),
    ],
  });
  assert.is((await kernel.hooks.onBatch.promise({ tokens: 0 } as never, step)).tokens, 3);
  await kernel.close();
});

test('who answers onGenerate first, answers', async () => {
  const answer = (name: string, session: unknown) =>
    plugin(name, ({ hooks }) => {
      hooks.onGenerate.tap(async (_request, next) => (session as never) ?? (await next()));
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
        hooks.onStep.tap(async () => {
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
    context.defineHook('onMine' as 'onClose', 'series');
  });
  const user = plugin(
    'user',
    ({ hooks }) => {
      (hooks as Mine).onMine.tap(() => {
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

test('a tap of a synchronous hook that returns a promise is refused', async () => {
  const { kernel, log } = await createTestKernel({
    plugins: [
      plugin('a', ({ hooks }) => {
        hooks.onMetrics.tap(asynchronous);
      }),
    ],
  });
  kernel.hooks.onMetrics.call(metrics);
  assert.match(log.texts('warn')[0]!, /returned a promise, which nobody waits for/);
  await kernel.close();
});

test('phases: in their order, then after what a plugin requires, then by name', async () => {
  const run = async (names: readonly string[]): Promise<string[]> => {
    const order: string[] = [];
    const taps = (name: string) =>
      plugin(
        name,
        ({ hooks }) => {
          for (const phase of ['check', 'adapters', 'shape'] as const) {
            hooks.onModelLoad.tap(phase, async () => {
              order.push(`${phase} ${name}`);
            });
          }
        },
        name === 'a' ? { requires: ['c'] } : {},
      );
    const { kernel } = await createTestKernel({ plugins: names.map(taps) });
    await kernel.hooks.onModelLoad.promise({} as never, {} as never);
    assert.equal(kernel.taps()['onModelLoad']?.[0], { plugin: 'b', phase: 'shape' });
    await kernel.close();
    return order;
  };
  const expected = ['shape', 'adapters', 'check'].flatMap((phase) =>
    ['b', 'c', 'a'].map((name) => `${phase} ${name}`),
  );
  for (const names of ['abc', 'acb', 'bac', 'bca', 'cab', 'cba']) {
    assert.equal(await run([...names]), expected);
  }
});

test('a middleware changes what the taps after it answer, or answers itself', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('plain', ({ hooks }) => {
        hooks.onGenerate.tap(async () => ['plain'] as never, { enforce: 'post' });
      }),
      plugin('outer', ({ hooks }) => {
        hooks.onGenerate.tap(
          async (_request, next) => ['outer', ...((await next()) as never)] as never,
        );
      }),
      plugin('inner', ({ hooks }) => {
        hooks.onGenerate.tap(
          async (_request, next) => ['inner', ...((await next()) as never)] as never,
        );
      }),
    ],
  });
  assert.equal(await kernel.hooks.onGenerate.promise({} as never), ['outer', 'inner', 'plain']);
  await kernel.close();
});

test.run();
