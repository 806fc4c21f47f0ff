// The kinds of malformed inputs that every command reads: a model's files, adapters of LoRA, data,
// templates, requests to the server. What has to be made by a command first: made-inputs.ts.
import { cpSync, mkdirSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { parquetWriteBuffer } from 'hyparquet-writer';
import { createTestKernel } from 'lmflow/testing';
import finetune from '@lmflow/preset-finetune';
import inference from '@lmflow/preset-inference';
import lora from '@lmflow/preset-lora';
import type { ChatMessage } from '@lmflow/sdk';
import { breakJson, breakTensors, generate, makeAdapter, type Kinds } from './cases.ts';
import { changeBytes, changeJson, changeJsonText, type Dice } from './mutations.ts';

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

const RECORDS: readonly Readonly<Record<string, unknown>>[] = [
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

/** Kinds by name, of a model that is whole; the server of requests runs until the process ends. */
export async function plainKinds(home: string, model: string): Promise<Kinds> {
  const adapter = join(home, 'adapter');
  await makeAdapter(model, adapter, {
    presets: [lora],
    config: { lora: { r: 2, initLoraWeights: false } },
  });
  const server = await startServer(model);
  const copyModel = (folder: string): void => cpSync(model, folder, { recursive: true });
  return {
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
      await generate(model, { config: { lora: { adapter: folder } } });
    },
    data: (dice, folder) => {
      mkdirSync(folder);
      return readData(model, folder, breakData(folder, dice));
    },
    parquet: (dice, folder) => {
      mkdirSync(folder);
      writeFileSync(join(folder, 'data.parquet'), parquetOf(dice));
      return readData(model, folder, 'data.parquet');
    },
    template: async (dice, folder) => {
      copyModel(folder);
      const template = changeBytes(Buffer.from(TEMPLATE), dice);
      writeFileSync(join(folder, 'chat_template.jinja'), template);
      await generate(folder, { prompt: MESSAGES.slice(0, 1) });
    },
    request: (dice) => ask(server, dice),
  };
}

/** A request to one of the endpoints; a status of 500 and more is a bug. */
async function ask(server: string, dice: Dice): Promise<void> {
  const most = { model: 'model', max_tokens: 2, temperature: 0 };
  const [endpoint, body] = dice.one([
    ['chat/completions', { ...most, messages: MESSAGES, stop: ['t9'], n: 1 }],
    ['chat/completions', { ...most, messages: MESSAGES, logprobs: true, top_logprobs: 2 }],
    ['completions', { ...most, prompt: 't3 t4', logprobs: 1 }],
    ['completions', { ...most, prompt: ['t3 t4', 't5'], echo: true, logprobs: 2 }],
    ['completions', { ...most, prompt: [[3, 4], [5]], echo: true, max_tokens: 0, logprobs: 0 }],
    ['completions', { ...most, prompt: [3, 4], echo: true, stream: true, suffix: null }],
  ] as const);
  const response = await fetch(`${server}/v1/${endpoint}`, {
    method: 'POST',
    headers: { 'content-type': 'application/json' },
    body: changeJsonText(JSON.stringify(body), dice),
  });
  const answer = await response.text();
  if (response.status >= 500) throw new Error(`${response.status}: ${answer.slice(0, 300)}`);
}

async function startServer(model: string): Promise<string> {
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

async function readData(model: string, folder: string, name: string): Promise<void> {
  const { kernel } = await createTestKernel({
    presets: [finetune],
    config: { model, dataset: join(folder, name), outputDir: join(folder, 'out') },
  });
  const options = { dryRun: true };
  await kernel.run('finetune', { options }).finally(() => kernel.close());
}

/** A Parquet file with its bytes changed, or a whole one of changed values. */
function parquetOf(dice: Dice): Buffer {
  if (dice.below(2)) return changeBytes(dice.one(PARQUET), dice);
  const record = dice.one(RECORDS);
  const columnData = Object.entries(record).map(([name, value]) => ({
    name,
    data: [changeJson(value, dice), value, changeJson(value, dice)],
    type: 'JSON' as const,
  }));
  return Buffer.from(parquetWriteBuffer({ columnData }));
}

function breakData(folder: string, dice: Dice): string {
  const record = dice.one(RECORDS);
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
