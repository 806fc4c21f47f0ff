// The demo, one row of the table in small: asks a model, teaches it 200 medical terms with
// lmflow.config.ts, measures what it gained, asks again. Every figure and answer is this run's.
//   npm run demo -- [--model default] [--steps n] [--limit n]
import { PassThrough } from 'node:stream';
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import { GENERATOR, MODELS } from '@lmflow/sdk';
import inference from '@lmflow/preset-inference';
import { makeDomain, makeReplay, writeDomain } from './domain/index.ts';
import config from '../lmflow.config.ts';
import { gainTable } from './gains.ts';

const TERMS = 200;
const READINGS = 3000;
/** Characters of what the model knows already. */
const REPLAYED = 30_000;
const KNOWN = ['What is the capital of France?', 'What is the opposite of hot?', 'What is an owl?'];
/** The test sets, with the share of right answers by chance. */
const CHANCE = { m1_reading: 1 / 3, m2_recall: 1 / 4 };
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
await ask();

heading(`It reads ${TERMS} medical terms, and questions about half of them`);
const flags = ['--model', model, ...(steps === undefined ? [] : ['--max-steps', steps])];
const tuning = await createKernel(config, { flags });
try {
  await tuning.run('finetune');
} finally {
  await tuning.close();
}

heading('Held-out questions before and after');
await evaluate();

heading('The adapted model answers');
await ask(outputDir);
console.log('\nThe dictionary says');
for (const { question, answer } of medical) console.log(`  ${question}  ${answer}`);

heading(`Done in ${Math.round((Date.now() - started) / 1000)} seconds`);
console.log(`In playground/domain-adaptation:
  ${outputDir}                        the adapter, in PEFT's format
  ${outputDir}/README.md              its model card
  ${outputDir}/training_loss.svg      its loss curve
Next, there:
  npx lmflow chat --preset inference --model ${model} --lora-adapter ${outputDir}
  npx lmflow serve --preset inference --model ${model} --lora-adapter ${outputDir}
  npx lmflow export --preset inference --model ${model} --lora-adapter ${outputDir}`);

/** Asks everything, greedily, without or with the adapter. */
async function ask(adapter?: string): Promise<void> {
  const kernel = await createKernel({
    presets: [inference],
    model,
    lora: adapter === undefined ? {} : { adapter },
  });
  try {
    const loaded = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: model });
    for (const content of questions) {
      const [answer] = await kernel.resolve(GENERATOR).inference({
        model: loaded,
        prompt: [{ role: 'user', content }],
        options: { maxNewTokens: 40, doSample: false },
      });
      console.log(`  ${content}\n    ${answer!.text.trim()}`);
    }
  } finally {
    await kernel.close();
  }
}

/** Both on the same questions; the differences have paired bootstrap intervals. */
async function evaluate(): Promise<void> {
  const kernel = await createKernel({ presets: [inference], model, outputDir: 'work/evaluation' });
  const tasks = Object.keys(CHANCE)
    .map((name) => `tasks/${name}.json`)
    .join();
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
