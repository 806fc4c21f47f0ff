// By hand: ONNX exports of stories260k in transformers.js in a browser (headless Chromium,
// WebAssembly): the greedy tokens of our generator in float32 and f16; q8 and q4 for comparison.
// mkdir /tmp/js && cd /tmp/js && npm install --ignore-scripts @huggingface/transformers
// playwright-core
// node --conditions=lmflow-source --import tsx plugins/export/test/reference/browser.ts /tmp/js
// [/usr/bin/chromium]
import { existsSync, readFileSync } from 'node:fs';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { extname, join } from 'node:path';
import { pathToFileURL } from 'node:url';
import { FIXTURES, load, scratch, withKernel } from '../folders.ts';

const [installed, executablePath = '/usr/bin/chromium'] = process.argv.slice(2);
if (installed === undefined) {
  throw new Error('where are @huggingface/transformers and playwright-core installed?');
}

interface Page {
  goto(url: string): Promise<unknown>;
  evaluate(script: string): Promise<unknown>;
}
interface Playwright {
  readonly chromium: {
    launch(options: object): Promise<{ newPage(): Promise<Page>; close(): Promise<void> }>;
  };
}
const { chromium } = (await import(
  pathToFileURL(join(installed, 'node_modules/playwright-core/index.mjs')).href
)) as Playwright;

const exportsFolder = scratch('browser');
const shared = join(FIXTURES, '../../../shared');
const folder = join(shared, 'models/stories260k');
const readme = readFileSync(join(shared, 'data/README.md'), 'utf8');
const story = readme.slice(readme.indexOf('Once upon a time')).trimEnd();
const expected = await withKernel({ model: folder }, async (kernel) =>
  [...(await load(kernel, folder)).tokenizer.encode(story).ids].slice(0, 120),
);

const TYPES: Readonly<Record<string, string>> = {
  '.js': 'text/javascript',
  '.mjs': 'text/javascript',
  '.wasm': 'application/wasm',
  '.json': 'application/json',
};
const server = createServer((request, response) => {
  const path = new URL(request.url!, 'http://127.0.0.1').pathname;
  const file = path.startsWith('/models/')
    ? join(exportsFolder, path.slice(8))
    : join(installed, 'node_modules', path);
  response.setHeader(
    'content-type',
    path === '/' ? 'text/html' : (TYPES[extname(path)] ?? 'application/octet-stream'),
  );
  if (path === '/') return response.end('<!doctype html><title>transformers.js</title>');
  if (!existsSync(file)) response.statusCode = 404;
  return response.end(existsSync(file) ? readFileSync(file) : undefined);
});
await new Promise<void>((resolve) => {
  server.listen(0, '127.0.0.1', resolve);
});
const browser = await chromium.launch({ executablePath, args: ['--no-sandbox'] });
try {
  const page = await browser.newPage();
  await page.goto(`http://127.0.0.1:${(server.address() as AddressInfo).port}/`);
  for (const quantization of ['f32', 'f16', 'q8', 'q4']) {
    await withKernel({ model: folder, outputDir: join(exportsFolder, quantization) }, (kernel) =>
      kernel.run('export', { options: { format: 'onnx', quantization } }),
    );
    const ids = (await page.evaluate(`(async () => {
      const { AutoModelForCausalLM, Tensor, env } = await import('/@huggingface/transformers/dist/transformers.min.js');
      Object.assign(env, { allowLocalModels: true, allowRemoteModels: false, localModelPath: '/models/', useBrowserCache: false, useWasmCache: false });
      Object.assign(env.backends.onnx.wasm, { wasmPaths: location.origin + '/onnxruntime-web/dist/', numThreads: 1 });
      const model = await AutoModelForCausalLM.from_pretrained('${quantization}', { device: 'wasm' });
      const found = await model.generate({ input_ids: new Tensor('int64', [1n], [1, 1]), max_new_tokens: ${expected.length}, do_sample: false, eos_token_id: 1e6 });
      return found.tolist()[0].slice(1).map(Number);
    })()`)) as number[];
    const differs = ids.findIndex((id, place) => id !== expected[place]);
    process.stdout.write(
      `stories260k ${quantization}: ${differs < 0 ? ids.length : differs} of ${expected.length} greedy tokens as in float32 here\n`,
    );
  }
} finally {
  await browser.close();
  server.close();
}
