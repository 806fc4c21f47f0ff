// The plugin of docs/writing-a-plugin.md is loaded as it stands there, and does what the page says.
import { readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../src/cli/main.ts';
import { createKernel } from '../src/index.ts';
import { captureLog } from '../src/testing/index.ts';
import { project } from './samples.ts';

const page = readFileSync(
  fileURLToPath(new URL('../../docs/writing-a-plugin.md', import.meta.url)),
  'utf8',
);
const [source, manifest] = [/```ts\n(\/\/ src\/index\.ts\n[^]*?)```/, /```json\n([^]*?)```/].map(
  (block) => block.exec(page)![1]!,
);

test('the example stops a training whose loss does not improve', async () => {
  const { folder, remove } = project({
    'lmflow.config.ts':
      'export default { plugins: ["./plateau/src/index.ts"], plateau: { patience: 2, smoothing: 0 } };',
    'plateau/src/index.ts': source!,
  });
  try {
    const log = captureLog();
    const kernel = await createKernel(undefined, { cwd: folder, log });
    const losses = [3, 2, 2.5, 2.5, 2.5];
    const stopped: boolean[] = [];
    for (const loss of losses) {
      const control = { stop: false, save: false, evaluate: false, log: false };
      await kernel.hooks.onStep.promise({ loss, control } as never);
      stopped.push(control.stop);
    }
    assert.equal(stopped, [false, false, false, true, true]);
    assert.match(log.texts('info')[0]!, /no better loss in 2 steps/);
    await kernel.close();
  } finally {
    remove();
  }
});

test('its package is found by its short name and takes flags', async () => {
  const { name } = JSON.parse(manifest!) as { name: string };
  const { folder, remove } = project({
    'lmflow.config.json': '{ "plugins": ["plateau"] }',
    [`node_modules/${name}/package.json`]: manifest!.replaceAll('dist/index.js', 'src/index.ts'),
    [`node_modules/${name}/src/index.ts`]: source!,
  });
  try {
    let out = '';
    assert.is(
      await main(
        ['inspect', '--cwd', folder, '--plateau-patience', '50'],
        {
          write: (text) => {
            out += text;
          },
        },
        {
          write: (text) => {
            out += text;
          },
        },
      ),
      0,
    );
    assert.match(out, /plateau\.patience +50 +--plateau-patience/);
  } finally {
    remove();
  }
});

test.run();
