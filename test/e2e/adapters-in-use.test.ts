// Adapters of IA3 and VeRA that PEFT made, in use: generate, serve and chat answer as the merged
// model does, and with weights in 8 bits nearly so.
import { spawn } from 'node:child_process';
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { GENERATOR, MODELS, type UserConfig } from '@lmflow/sdk';
import ia3 from '@lmflow/plugin-ia3';
import vera from '@lmflow/plugin-vera';
import inference from '@lmflow/preset-inference';
import { fixtureModel } from './fixture-model.ts';

const FIXTURES = resolve(import.meta.dirname, '../fixtures/peft-methods');
const CLI = resolve(import.meta.dirname, '../../kernel/src/cli.ts');
const base = fixtureModel();
writeFileSync(
  join(base, 'chat_template.jinja'),
  "{% for m in messages %}{{ m['content'] + ' ' }}{% endfor %}",
);
const scratch = mkdtempSync(join(tmpdir(), 'lmflow-adapters-'));
const prompt = 't5 t20 t33';

const makeKernel = (config: UserConfig): ReturnType<typeof createTestKernel> =>
  createTestKernel({ presets: [inference], plugins: [ia3, vera], config });

interface Answer {
  readonly text: string;
  readonly logprobs: readonly number[];
}

/** Five greedy tokens by the generator. */
async function generated(config: UserConfig & { readonly model: string }): Promise<Answer> {
  const { kernel } = await makeKernel(config);
  try {
    const request = { role: 'policy', purpose: 'inference', source: config.model } as const;
    const model = await kernel.resolve(MODELS).load(request);
    const options = { maxNewTokens: 5, doSample: false, logprobs: 1, minNewTokens: 5 };
    const [sequence] = await kernel.resolve(GENERATOR).inference({ model, prompt, options });
    return { text: sequence!.text, logprobs: sequence!.tokens.map(({ logprob }) => logprob!) };
  } finally {
    await kernel.close();
  }
}

/** The same through the server, scored with their log-probabilities; and a chat's answer. */
async function served(
  config: UserConfig,
): Promise<{ readonly answer: Answer; readonly chat: string }> {
  const { kernel, log } = await makeKernel({ ...config, serve: { port: 0, modelName: 'm' } });
  const stop = new AbortController();
  const ended = kernel.run('serve', { signal: stop.signal });
  try {
    let url: string | undefined;
    while (url === undefined) {
      await Promise.race([ended, new Promise((wake) => setTimeout(wake, 20))]);
      url = log.said.find(({ data }) => data?.['type'] === 'serving')?.data?.['url'] as string;
    }
    const ask = async (path: string, body: object): Promise<unknown> => {
      const response = await fetch(`${url}/v1/${path}`, {
        method: 'POST',
        headers: { 'content-type': 'application/json' },
        body: JSON.stringify({ model: 'm', max_tokens: 5, temperature: 0, ...body }),
      });
      assert.is(response.status, 200, await response.clone().text());
      return await response.json();
    };
    const completion = (await ask('completions', { prompt, logprobs: 1, min_tokens: 5 })) as {
      choices: { text: string; logprobs: { token_logprobs: number[] } }[];
    };
    const chat = (await ask('chat/completions', {
      messages: [{ role: 'user', content: prompt }],
      min_tokens: 5,
    })) as { choices: { message: { content: string } }[] };
    const [choice] = completion.choices;
    return {
      answer: { text: choice!.text, logprobs: choice!.logprobs.token_logprobs },
      chat: chat.choices[0]!.message.content,
    };
  } finally {
    stop.abort();
    await ended.catch(() => undefined);
    await kernel.close();
  }
}

/** What `lmflow chat` prints for one line. */
async function chatted(words: readonly string[]): Promise<string> {
  const args = [
    'chat',
    '--preset',
    'inference',
    '--no-do-sample',
    '--max-new-tokens',
    '5',
    '--json',
  ];
  const child = spawn(
    process.execPath,
    ['--conditions=lmflow-source', '--import', 'tsx', CLI, ...args, ...words],
    { env: { ...process.env, LMFLOW_CACHE: join(scratch, '.cache') } },
  );
  let [out, err] = ['', ''];
  child.stdout.on('data', (data: Buffer) => (out += data.toString()));
  child.stderr.on('data', (data: Buffer) => (err += data.toString()));
  child.stdin.end(`${prompt}\n`);
  const code = await new Promise((done) => child.on('close', done));
  assert.is(code, 0, err);
  return `${out}\n${err}`;
}

function close(found: Answer, expected: Answer, limit: number, what: string): void {
  assert.is(found.text.trim(), expected.text.trim(), what);
  found.logprobs.forEach((number, index) => {
    const difference = Math.abs(number - expected.logprobs[index]!);
    assert.ok(difference < limit, `${what}: token ${index} is off by ${difference}`);
  });
}

for (const [method, name] of [
  ['ia3', 'llama-random'],
  ['ia3', 'llama-head'],
  ['vera', 'llama-random'],
  ['vera', 'llama-head'],
] as const) {
  const adapter = { [method]: { adapter: join(FIXTURES, method, name) } };
  const merged = join(scratch, `${method}-${name}`);

  test(`${method} ${name}: generate, serve and the merged model answer alike`, async () => {
    const { kernel } = await makeKernel({ model: base, outputDir: merged, ...adapter });
    await kernel.run('merge').finally(() => kernel.close());
    const expected = await generated({ model: merged });
    const plain = await generated({ model: base });
    assert.ok(
      plain.logprobs.some((number, index) => Math.abs(number - expected.logprobs[index]!) > 1e-2),
      'the adapter changes the model',
    );
    close(await generated({ model: base, ...adapter }), expected, 1e-4, 'generate');
    const { answer, chat } = await served({ model: base, ...adapter });
    close(answer, expected, 1e-4, 'serve');
    assert.is(chat, (await served({ model: merged })).chat);
  });

  test(`${method} ${name}: on weights in 8 bits nearly alike`, async () => {
    const cacheDir = join(scratch, 'quantized');
    const quantize = { bits: 8, headBits: 8, activations: 'float', cacheDir } as const;
    const expected = await generated({ model: base, ...adapter });
    const found = await generated({ model: base, ...adapter, quantize });
    const [first, wanted] = [found.logprobs[0]!, expected.logprobs[0]!];
    assert.ok(first !== wanted, 'the weights are in 8 bits');
    assert.ok(Math.abs(first - wanted) < 0.05, `off by ${first - wanted}`);
  });
}

for (const method of ['ia3', 'vera'] as const) {
  test(`${method}: lmflow chat answers with the adapter`, async () => {
    const folder = join(FIXTURES, method, 'llama-random');
    const said = await chatted([
      ...['--model', base, '--plugin', method, `--${method}-adapter`, folder],
    ]);
    const other = await chatted(['--model', base]);
    assert.match(said, /\bt\d+/);
    assert.is.not(said, other);
  });
}

test.run();
