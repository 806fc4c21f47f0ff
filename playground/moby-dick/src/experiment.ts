// Reads chapters 1 to 120 with each method, without and with replay, and measures what was gained on
// chapters 121 to 135 and what was forgotten. Every figure is this run's.
//   npm run moby-dick -- [--model default] [--rows full,lora-replay] [--max-steps n]
import { parseArgs } from 'node:util';
import type { UserConfig } from '@lmflow/sdk';
import lisa from '@lmflow/plugin-lisa';
import lora from '@lmflow/preset-lora';
import { measure, table, train, type Tuned } from '@lmflow/playground-default-model/runs';
import { writeLines } from '@lmflow/playground-default-model/lines';
import config from '../lmflow.config.ts';
import { makeData } from './data.ts';

const METHODS: Readonly<Record<string, UserConfig>> = {
  full: {},
  lisa: { plugins: [...config.plugins, lisa({ layers: 1, interval: 20 })] },
  lora: { presets: [lora], lora: { r: 32 }, learningRate: 1e-2 },
};
const ROWS = Object.keys(METHODS).flatMap((method) => [method, `${method}-replay`]);
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    rows: { type: 'string', default: ROWS.join() },
    /** Of training; by default one pass over the text. */
    'max-steps': { type: 'string' },
  },
});
const { model } = values;
const steps = values['max-steps'];
const asText = (texts: readonly string[]): object[] => texts.map((text) => ({ text }));
const asChat = (some: readonly (readonly object[])[]): object[] =>
  some.map((messages) => ({ messages }));

const data = makeData();
await writeLines('work/book.jsonl', asText(data.book));
await writeLines('work/replay-texts.jsonl', asText(data.replayTexts));
await writeLines('work/replay-conversations.jsonl', asChat(data.replayConversations));
await writeLines('work/unread.jsonl', asText(data.unread));
await writeLines('work/examples.jsonl', asText(data.examples));
await writeLines('work/facts.jsonl', asChat(data.facts));

const rows: string[][] = [['base', ...(await figuresOf({ model })), '']];
for (const row of values.rows.split(',')) {
  const [method, replay] = row.split('-') as [string, string | undefined];
  const outputDir = `work/${row}`;
  const started = Date.now();
  await train(
    {
      ...config,
      ...METHODS[method],
      model,
      outputDir,
      dataset: replay === undefined ? 'work/book.jsonl' : config.dataset,
    },
    steps === undefined ? [] : ['--max-steps', steps],
  );
  const seconds = Math.round((Date.now() - started) / 1000);
  const tuned = method === 'lora' ? { model, adapter: outputDir } : { model: outputDir };
  rows.push([row, ...(await figuresOf(tuned)), String(seconds)]);
  console.log(rows.at(-1)!.join('  '));
}
const head = ['Row', 'Chapters 121-135', 'Examples', 'Facts, % right', 'Seconds'];
console.log(`\n${table(head, rows)}\n`);

/** Perplexity of unread chapters and of known sentences; known facts that it still tells. */
async function figuresOf(tuned: Tuned): Promise<string[]> {
  const perplexity = async (name: string): Promise<string> => {
    const found = await measure(tuned, { metric: 'perplexity', dataset: `work/${name}.jsonl` });
    return found['perplexity']!.toFixed(1);
  };
  const { accuracy } = await measure(tuned, {
    metric: 'accuracy',
    dataset: 'work/facts.jsonl',
    maxNewTokens: 40,
  });
  return [await perplexity('unread'), await perplexity('examples'), (100 * accuracy!).toFixed(1)];
}
