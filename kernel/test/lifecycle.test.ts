// The kernel's life: services, commands, order of calls, closing; two kernels side by side.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { ENGINE, inputError, token, type PluginContext } from '@lmflow/sdk';
import { createKernel, loadKernel } from '../src/index.ts';
import { container } from 'tsyringe'; // after lmflow, which brings the metadata it needs
import { captureLog, createTestKernel } from '../src/testing/index.ts';
import { plugin, refuses, trainer } from './samples.ts';

interface Service {
  readonly id: number;
  dispose?(): void | Promise<void>;
}
const FIRST = token<Service>('first');
const SECOND = token<Service>('second');

test('a service is made at the first resolve, once, and disposed in reverse order', async () => {
  const events: string[] = [];
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', (context) => {
        context.provide(FIRST, () => {
          events.push('make first');
          return {
            id: 1,
            dispose: async () => {
              events.push('dispose first');
            },
          };
        });
        context.provide(SECOND, (resolve) => {
          events.push('make second');
          return {
            id: resolve(FIRST).id + 1,
            dispose: () => {
              events.push('dispose second');
            },
          };
        });
        context.provide(token<Service>('unused'), () => {
          events.push('make unused');
          return { id: 0 };
        });
        context.hooks.onClose.tap(() => {
          events.push('onClose');
        });
      }),
    ],
  });
  assert.equal(events, []);
  assert.is(kernel.resolve(SECOND).id, 2);
  assert.is(kernel.resolve(SECOND), kernel.resolve(SECOND));
  await kernel.close();
  // the second was begun before the first, but is complete after it
  assert.equal(events, ['make second', 'make first', 'onClose', 'dispose second', 'dispose first']);
});

test('what needs another service is disposed before it', async () => {
  const disposed: string[] = [];
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', (context) => {
        context.provide(SECOND, (resolve) => ({
          id: resolve(FIRST).id,
          dispose: () => {
            disposed.push('second');
          },
        }));
        context.provide(FIRST, () => ({
          id: 1,
          dispose: () => {
            disposed.push('first');
          },
        }));
      }),
    ],
  });
  kernel.resolve(SECOND);
  await kernel.close();
  assert.equal(disposed, ['second', 'first']);
});

test('a service that nobody provides: LMFLOW_TOKEN_MISSING says who usually does', async () => {
  const { kernel } = await createTestKernel();
  await refuses('LMFLOW_TOKEN_MISSING', /"engine".*@lmflow\/plugin-engine-onnx/s, () =>
    kernel.resolve(ENGINE),
  );
  await refuses('LMFLOW_TOKEN_MISSING', /npm install @acme\/x/, () =>
    kernel.resolve(token('@acme/x:store')),
  );
  await kernel.close();
});

test('services that need each other: LMFLOW_TOKEN_CYCLE', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', (context) => {
        context.provide(FIRST, (resolve) => resolve(SECOND));
        context.provide(SECOND, (resolve) => resolve(FIRST));
      }),
    ],
  });
  await refuses('LMFLOW_TOKEN_CYCLE', /first -> second -> first/, () => kernel.resolve(FIRST));
  await kernel.close();
});

test('run gives exit code and result, and passes options, arguments and signal', async () => {
  const { kernel } = await createTestKernel({
    plugins: [
      trainer(),
      plugin('b', (context) => {
        context.command({ name: 'three', summary: '', run: async () => 3 });
        context.command({
          name: 'nothing',
          summary: '',
          usage: '<file>',
          run: async ({ positionals, signal }) => ({ result: [positionals, signal.aborted] }),
        });
      }),
    ],
  });
  assert.equal(await kernel.run('three'), { exitCode: 3, result: undefined });
  assert.equal(await kernel.run('nothing', { positionals: ['f'], signal: AbortSignal.abort() }), {
    exitCode: 0,
    result: [['f'], true],
  });
  const { result } = await kernel.run('fit', { options: { tag: 'x' } });
  assert.equal((result as { options: unknown }).options, { dryRun: false, tag: 'x' });
  await refuses('LMFLOW_CONFIG_INVALID', /tag = 3 \(from options of fit\) must be a string/, () =>
    kernel.run('fit', { options: { tag: 3 } }),
  );
  await refuses('LMFLOW_CONFIG_UNKNOWN_KEY', /"tagg".*dryRun, tag/s, () =>
    kernel.run('fit', { options: { tagg: 3 } }),
  );
  await refuses('LMFLOW_ARGUMENT_UNEXPECTED', /takes no argument/, () =>
    kernel.run('fit', { positionals: ['x'] }),
  );
  await refuses('LMFLOW_COMMAND_UNKNOWN', /"fitt".*Did you mean "fit"/s, () => kernel.run('fitt'));
  await kernel.close();
});

test('calls out of order say so', async () => {
  const created = await loadKernel({}, { log: captureLog() });
  assert.is(created.state, 'created');
  await refuses(
    'LMFLOW_LIFECYCLE',
    /run\('fit'\) was called while the kernel is not configured yet/,
    () => created.run('fit'),
  );
  await refuses('LMFLOW_LIFECYCLE', /inspect\(\)/, () => created.inspect());
  created.configure();
  assert.is(created.state, 'configured');
  await refuses(
    'LMFLOW_LIFECYCLE',
    /configure\(\) was called while the kernel is configured/,
    () => {
      created.configure();
    },
  );
  await created.close();
  assert.is(created.state, 'closed');
  await refuses('LMFLOW_LIFECYCLE', /resolve\(first\) was called while the kernel is closed/, () =>
    created.resolve(FIRST),
  );
  await refuses('LMFLOW_LIFECYCLE', /closed/, () => created.run('fit'));
  await created.close();
});

test('one command at a time, and no closing under a running one', async () => {
  let release = (): void => undefined;
  const waiting = new Promise<undefined>((resolve) => {
    release = () => {
      resolve(undefined);
    };
  });
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', (context) => {
        context.command({ name: 'wait', summary: '', run: () => waiting });
      }),
    ],
  });
  const running = kernel.run('wait');
  assert.is(kernel.state, 'running');
  await refuses('LMFLOW_LIFECYCLE', /Await the first command/, () => kernel.run('wait'));
  await refuses('LMFLOW_LIFECYCLE', /close\(\).*running/, () => kernel.close());
  release();
  await running;
  assert.is(kernel.state, 'configured');
  await kernel.close();
});

test('nothing can be added after apply: LMFLOW_KERNEL_FROZEN', async () => {
  let context: PluginContext | undefined;
  const { kernel } = await createTestKernel({
    plugins: [
      plugin('a', (given) => {
        context = given;
      }),
    ],
  });
  await refuses('LMFLOW_KERNEL_FROZEN', /a: provide\(\)/, () => {
    context!.provide(FIRST, () => ({ id: 1 }));
  });
  await refuses('LMFLOW_KERNEL_FROZEN', /a: command\(\)/, () => {
    context!.command({ name: 'x', summary: '', run: async () => 0 });
  });
  await refuses('LMFLOW_KERNEL_FROZEN', /tapped onStep/, () => {
    context!.hooks.onStep.tap(() => undefined);
  });
  await refuses('LMFLOW_KERNEL_FROZEN', /defineHook/, () => {
    context!.defineHook('onX' as 'onClose', 'series');
  });
  await kernel.close();
  await refuses('LMFLOW_LIFECYCLE', /closed/, () => {
    context!.resolve(FIRST);
  });
});

test('onClose runs in reverse, all of it, and failures are gathered', async () => {
  const closed: string[] = [];
  const closing = (name: string, fails = false) =>
    plugin(name, ({ hooks }) => {
      hooks.onClose.tap(async () => {
        closed.push(name);
        if (fails) throw new Error(`${name} is stuck`);
      });
    });
  const bad = plugin('d', (context) => {
    context.provide(FIRST, () => ({
      id: 1,
      dispose: () => {
        throw inputError('LMFLOW_MINE', 'cannot dispose');
      },
    }));
  });
  const { kernel } = await createTestKernel({
    plugins: [closing('a'), closing('b', true), closing('c'), bad],
  });
  kernel.resolve(FIRST);
  const error = await refuses(
    'LMFLOW_CLOSE_FAILED',
    /2 places[^]*b failed in onClose: b is stuck[^]*cannot dispose/,
    () => kernel.close(),
  );
  assert.equal(closed, ['c', 'b', 'a']);
  assert.instance(error.cause, AggregateError);
  assert.is(kernel.state, 'closed');
});

test('a service whose factory throws: LMFLOW_SERVICE_FAILED names the plugin', async () => {
  const bad = plugin('maker', (context) => {
    context.provide(FIRST, () => {
      throw new TypeError('no such thing');
    });
  });
  const { kernel } = await createTestKernel({ plugins: [bad] });
  const error = await refuses(
    'LMFLOW_SERVICE_FAILED',
    /maker failed to make the service "first": no such thing/,
    () => kernel.resolve(FIRST),
  );
  assert.is(error.plugin, 'maker');
  await kernel.close();
});

test('close with abort ends the command that runs, and waits for it', async () => {
  let ended = false;
  const slow = plugin('slow', (context) => {
    context.command({
      name: 'wait',
      summary: 'waits',
      run: async ({ signal }) => {
        await new Promise((resolve) => {
          signal.addEventListener('abort', resolve);
        });
        ended = true;
        return 130;
      },
    });
  });
  const { kernel } = await createTestKernel({ plugins: [slow] });
  const run = kernel.run('wait');
  await kernel.close({ abort: true });
  assert.ok(ended);
  assert.is(kernel.state, 'closed');
  assert.is((await run).exitCode, 130);
});

test('an exit code that no process can have: LMFLOW_COMMAND_EXIT_CODE', async () => {
  for (const code of [256, -1, 1.5, NaN]) {
    const odd = plugin('odd', (context) => {
      context.command({ name: 'odd', summary: '', run: async () => code });
    });
    const { kernel } = await createTestKernel({ plugins: [odd] });
    await refuses('LMFLOW_COMMAND_EXIT_CODE', /odd of odd gave the exit code/, () =>
      kernel.run('odd'),
    );
    await kernel.close();
  }
});

test('await using closes', async () => {
  const { kernel } = await createTestKernel();
  await kernel[Symbol.asyncDispose]();
  assert.is(kernel.state, 'closed');
});

test('two kernels in one process share nothing', async () => {
  let made = 0;
  const shared = plugin('a', (context) => {
    context.provide(FIRST, () => ({ id: (made += 1) }));
    context.hooks.onStep.tap(() => undefined);
    context.command({
      name: 'id',
      summary: '',
      run: async ({ config }) => ({ result: [context.resolve(FIRST).id, config.seed] }),
    });
  });
  const options = { plugins: [shared] };
  const [one, two] = await Promise.all([
    createKernel({ ...options, seed: 1 }, { log: captureLog() }),
    createKernel({ ...options, seed: 2 }, { log: captureLog() }),
  ]);
  assert.equal((await one.run('id')).result, [1, 1]);
  assert.equal((await two.run('id')).result, [2, 2]);
  assert.is.not(one.hooks, two.hooks);
  await one.hooks.onStep.promise({} as never);
  assert.is(one.inspect().times.length, 1);
  assert.is(two.inspect().times.length, 0);
  await one.close();
  assert.equal((await two.run('id')).result, [2, 2]);
  assert.not(container.isRegistered('first'), 'nothing is on the global container');
  await two.close();
});

test.run();
