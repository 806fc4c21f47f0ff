// The demo, one row of the table in small: asks a model, teaches it 200 medical terms with
// lmflow.config.ts, measures what it gained, asks again. Every figure and answer is this run's.
//   npm run demo -- [--model default] [--steps n] [--limit n]
import { PassThrough } from 'node:stream';
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import inference from '@lmflow/preset-inference';
import { ask, train } from '@lmflow/playground-default-model/runs';
import { makeDomain, makeReplay, writeDomain } from './domain/index.ts';
import config from '../lmflow.config.ts';
import { CHANCE } from './experiment/rows.ts';
import { gainTable } from './gains.ts';

const TERMS = 200;
const READINGS = 3000;
/** Characters of what the model knows already. */
const REPLAYED = 30_000;
const KNOWN = ['What is the capital of France?', 'What is the opposite of hot?', 'What is an owl?'];
const SETS = ['m1_reading', 'm2_recall'];
const started = Date.now();
const { values } = parseArgs({
  options: {
    model: { type: 'string', default: 'default' },
    /** Of training; by default as the configuration says. */
    steps: { type: 'string' },
    /** Questions of a set. */
    limit: { type: 'string', default: '400' },
  },
});
const { model, steps } = values;
const outputDir = 'work/adapter';

const domain = makeDomain({ terms: TERMS, readings: READINGS });
await writeDomain('work', domain, makeReplay(REPLAYED));
// The first three of M2's test: what the text tells, but no training question asks.
const medical = domain.tests['m2_recall']!.slice(0, 3).map(
  ({ question, start, choices, gold }) => ({
    question,
    answer: `${start.trim()} ${choices[gold]!}`,
  }),
);
const questions = [...KNOWN, ...medical.map(({ question }) => question)];

heading('The model answers');
await showAnswers();

heading(`It reads ${TERMS} medical terms, and questions about half of them`);
const flags = ['--model', model, ...(steps === undefined ? [] : ['--max-steps', steps])];
await train(config, flags);

heading('Held-out questions before and after');
await evaluate();

heading('The adapted model answers');
await showAnswers(outputDir);
console.log('\nThe dictionary says');
for (const { question, answer } of medical) console.log(`  ${question}  ${answer}`);

heading(`Done in ${Math.round((Date.now() - started) / 1000)} seconds`);
const tuned = `--preset inference --model ${model} --lora-adapter ${outputDir}`;
console.log(`In playground/domain-adaptation:
  ${outputDir}                        the adapter, in PEFT's format
  ${outputDir}/README.md              its model card
  ${outputDir}/training_loss.svg      its loss curve
Next, there:
  npx lmflow chat ${tuned}
  npx lmflow serve ${tuned}
  npx lmflow export ${tuned} --output-dir work/merged`);

/** Asks everything, without or with the adapter. */
async function showAnswers(adapter?: string): Promise<void> {
  const answers = await ask({ model, adapter }, questions, 40);
  for (const [at, question] of questions.entries()) {
    console.log(`  ${question}\n    ${answers[at]!.text}`);
  }
}

/** Both on the same questions; the differences have paired bootstrap intervals. */
async function evaluate(): Promise<void> {
  const kernel = await createKernel({ presets: [inference], model, outputDir: 'work/evaluation' });
  const tasks = SETS.map((name) => `tasks/${name}.json`).join();
  const options = { tasks, limit: Number(values.limit), compare: [model, outputDir] };
  try {
    // The command's own table goes nowhere: this one has the level of chance, too.
    const output = new PassThrough().resume();
    const { result } = await kernel.run('evaluate', { options, output });
    console.log(gainTable(result.comparison!, CHANCE));
  } finally {
    await kernel.close();
  }
}

function heading(text: string): void {
  console.log(`\n${text}\n${'='.repeat(text.length)}`);
}
