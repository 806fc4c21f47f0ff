// Feeds malformed inputs, one a seed, to the real plugins in this process, and says what became of
// each: `ok`, the code of an error, or `BUG` and what was thrown.
import { cpSync, mkdirSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { createTestKernel } from 'lmflow/testing';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import { GENERATOR, MODELS, isLMFlowError, randomStream, type ChatMessage } from '@lmflow/sdk';
import { writeTinyModel } from '@lmflow/sdk/testing';
import { Dice, changeBytes, changeJson, changeJsonText } from './mutations.ts';

const MESSAGES: ChatMessage[] = [
  { role: 'user', content: 't3 t4' },
  { role: 'assistant', content: 't5' },
];
const TEMPLATE =
  "{% for m in messages %}{{ m['role'] + ': ' + m.content | trim }}{% if loop.last %}{{ eos_token }}{% endif %}{% endfor %}{% if add_generation_prompt %}assistant:{% endif %}";

const PARQUET = [
  [{ name: 'text', data: ['t1 t2', 't3', 't1 t2'] }],
  [{ name: 'messages', data: [MESSAGES, MESSAGES], type: 'JSON' as const }],
  [
    { name: 'instruction', data: ['t1 t2', 't3'] },
    { name: 'output', data: ['t4', null] },
    { name: 'weight', data: [1, 0.5] },
  ],
].map((columnData) => Buffer.from(parquetWriteBuffer({ columnData })));

const home = mkdtempSync(join(tmpdir(), 'lmflow-mutate-'));
const model = await writeTinyModel({ folder: join(home, 'model') });
const adapter = join(home, 'adapter');
await makeAdapter();
const server = await startServer();

/** Each kind of input: breaks it in a folder of its own and uses it. */
const KINDS: Readonly<Record<string, (dice: Dice, folder: string) => Promise<unknown>>> = {
  config: async (dice, folder) => {
    copyModel(folder);
    breakJson(join(folder, 'config.json'), dice);
    await generate(folder);
  },
  tokenizer: async (dice, folder) => {
    copyModel(folder);
    breakJson(join(folder, dice.one(['tokenizer.json', 'tokenizer_config.json'])), dice);
    await generate(folder);
  },
  checkpoint: async (dice, folder) => {
    copyModel(folder);
    breakTensors(join(folder, 'model.safetensors'), dice);
    await generate(folder);
  },
  adapter: async (dice, folder) => {
    cpSync(adapter, folder, { recursive: true });
    if (dice.below(2)) breakJson(join(folder, 'adapter_config.json'), dice);
    else breakTensors(join(folder, 'adapter_model.safetensors'), dice);
    await generate(model, { lora: { adapter: folder } });
  },
  data: (dice, folder) => {
    mkdirSync(folder);
    return readData(folder, breakData(folder, dice));
  },
  parquet: (dice, folder) => {
    mkdirSync(folder);
    writeFileSync(join(folder, 'data.parquet'), changeBytes(dice.one(PARQUET), dice));
    return readData(folder, 'data.parquet');
  },
  template: async (dice, folder) => {
    copyModel(folder);
    const template = changeBytes(Buffer.from(TEMPLATE), dice);
    writeFileSync(join(folder, 'chat_template.jinja'), template);
    await generate(folder, {}, MESSAGES.slice(0, 1));
  },
  request: async (dice) => {
    const chat = dice.below(2) === 1;
    const body = chat
      ? { model: 'model', messages: MESSAGES, max_tokens: 2, temperature: 0, stop: ['t9'], n: 1 }
      : { model: 'model', prompt: 't3 t4', max_tokens: 2, temperature: 0, logprobs: 1 };
    const text = changeJsonText(JSON.stringify(body), dice);
    const response = await fetch(`${server}/v1/${chat ? 'chat/' : ''}completions`, {
      method: 'POST',
      headers: { 'content-type': 'application/json' },
      body: text,
    });
    const answer = await response.text();
    if (response.status >= 500) throw new Error(`${response.status}: ${answer.slice(0, 300)}`);
  },
};

async function makeAdapter(): Promise<void> {
  const { kernel } = await createTestKernel({
    presets: [lora],
    config: { seed: 1, lora: { r: 2, initLoraWeights: false } },
  });
  const request = { role: 'policy', purpose: 'training', source: model } as const;
  const loaded = await kernel.resolve(MODELS).load(request);
  const { config, tensors } = loaded.adapter!.save();
  const { writeSafetensors } = await import('@lmflow/sdk/formats');
  mkdirSync(adapter);
  writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify(config));
  await writeSafetensors(join(adapter, 'adapter_model.safetensors'), tensors);
  await kernel.close();
}

async function startServer(): Promise<string> {
  const { kernel, log } = await createTestKernel({
    presets: [inference],
    config: { model, chatTemplate: TEMPLATE, serve: { port: 0 } },
  });
  void kernel.run('serve');
  for (;;) {
    const serving = log.said.find(({ data }) => data?.['type'] === 'serving');
    if (serving) return (serving.data as { url: string }).url;
    await new Promise((wake) => {
      setTimeout(wake, 20);
    });
  }
}

function copyModel(folder: string): void {
  cpSync(model, folder, { recursive: true });
}

function breakJson(file: string, dice: Dice): void {
  writeFileSync(file, changeJsonText(readFileSync(file, 'utf8'), dice));
}

/** A safetensors file with its bytes, or members of its header changed. */
function breakTensors(file: string, dice: Dice): void {
  const bytes = readFileSync(file);
  if (dice.below(2)) return writeFileSync(file, changeBytes(bytes, dice));
  const length = Number(bytes.readBigUInt64LE());
  const header = changeJson(JSON.parse(bytes.toString('utf8', 8, 8 + length)), dice);
  const text = Buffer.from(JSON.stringify(header) ?? '');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([prefix, text, bytes.subarray(8 + length)]));
}

async function readData(folder: string, name: string): Promise<void> {
  const { kernel } = await createTestKernel({
    presets: [finetune],
    config: { model, dataset: join(folder, name), outputDir: join(folder, 'out') },
  });
  const options = { dryRun: true };
  await kernel.run('finetune', { options }).finally(() => kernel.close());
}

function breakData(folder: string, dice: Dice): string {
  const records = [
    { instruction: 't1 t2', input: '', output: 't3' },
    { messages: [...MESSAGES] },
    { text: 't1 t2 t3' },
    {
      conversations: [
        { from: 'human', value: 't1' },
        { from: 'gpt', value: 't2' },
      ],
    },
  ];
  const record = dice.one(records);
  const [name, text] = dice.one([
    ['data.json', JSON.stringify([record, record])],
    ['data.json', JSON.stringify({ type: 'text_only', instances: [{ text: 't1' }] })],
    ['data.jsonl', `${JSON.stringify(record)}\n${JSON.stringify(record)}\n`],
    ['data.csv', 'instruction,output\n"t1, ""t2""",t3\nt4,t5\n'],
    ['data.txt', 't1 t2\n\nt3 t4\n'],
  ] as const);
  const json = name === 'data.json' && dice.below(3) > 0;
  const changed = json ? changeJsonText(text, dice) : changeBytes(Buffer.from(text), dice);
  writeFileSync(join(folder, name), changed);
  return name;
}

async function generate(
  source: string,
  config: Readonly<Record<string, unknown>> = {},
  prompt: string | ChatMessage[] = 't3 t4',
): Promise<void> {
  const { kernel } = await createTestKernel({ presets: [inference], config });
  try {
    const request = { role: 'policy', purpose: 'inference', source } as const;
    const loaded = await kernel.resolve(MODELS).load(request);
    const options = { maxNewTokens: 2, doSample: false };
    await kernel.resolve(GENERATOR).inference({ model: loaded, prompt, options });
  } finally {
    await kernel.close();
  }
}

/** An error that is not ours, or one of ours around such a one. */
function isBug(error: unknown): boolean {
  if (!isLMFlowError(error)) return true;
  return (
    error.code === 'LMFLOW_HOOK_FAILED' || /Cannot read prop|is not a function/.test(error.message)
  );
}

process.on('message', (seed: number) => {
  const names = Object.keys(KINDS);
  const kind = names[seed % names.length]!;
  const folder = join(home, `case-${seed}`);
  KINDS[kind]!(new Dice(randomStream(seed, 'mutate')), folder).then(
    () => tell('ok'),
    (error: unknown) => {
      if (!isBug(error)) return tell((error as { code: string }).code);
      return tell(`BUG ${error instanceof Error ? (error.stack ?? error.message) : String(error)}`);
    },
  );
  function tell(outcome: string): void {
    rmSync(folder, { recursive: true, force: true });
    process.send!({ seed, kind, outcome });
  }
});
process.on('exit', () => rmSync(home, { recursive: true, force: true }));
process.send!('ready');
