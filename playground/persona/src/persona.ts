// Makes the dialogues, trains the companion, measures it on held-out ones, talks with it.
//   npm run persona -- [--model default]
import { parseArgs } from 'node:util';
import { ask, measure, table, train, type Tuned } from '@lmflow/playground-default-model/runs';
import { writeLines } from '@lmflow/playground-default-model/lines';
import config from '../lmflow.config.ts';
import { makeDialogues } from './dialogues.ts';

const { values } = parseArgs({ options: { model: { type: 'string', default: 'default' } } });
const { model } = values;
const dataset = 'work/held-out.jsonl';
const dialogues = makeDialogues();
await writeLines(
  'work/dialogues.jsonl',
  dialogues.train.map((messages) => ({ messages })),
);
await writeLines(
  dataset,
  dialogues.heldOut.map((messages) => ({ messages })),
);
await train({ ...config, model });

const sides: Readonly<Record<string, Tuned>> = {
  base: { model },
  companion: { model, adapter: 'work/companion' },
};
const questions = [
  'Who are you?',
  ...dialogues.heldOut.slice(0, 3).map(([first]) => first!.content),
];
const rows: string[][] = [];
for (const [name, tuned] of Object.entries(sides)) {
  const { perplexity } = await measure(tuned, { metric: 'perplexity', dataset });
  const { accuracy } = await measure(tuned, { metric: 'accuracy', dataset, maxNewTokens: 50 });
  rows.push([name, perplexity!.toFixed(2), (100 * accuracy!).toFixed(1)]);
  const answers = await ask(tuned, questions);
  console.log(`\n${name}`);
  for (const [at, question] of questions.entries()) {
    console.log(`  ${question}\n    ${answers[at]!.text}`);
  }
}
console.log(`\n${table(['Model', 'Perplexity of held-out answers', '% word for word'], rows)}\n`);
