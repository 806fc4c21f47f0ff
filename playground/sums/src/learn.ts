// Teaches the default model to answer `9 + 7 = ?`, a notation that it never read, by saying which of its
// own answers are right; then asks sums that it was not trained on. Every number is this run's.
//   npm run learn -- [--seed n] [--steps n]
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import { randomStream } from '@lmflow/sdk';
import { writeLines } from '@lmflow/playground-default-model/lines';
import { ask, type Answer } from '@lmflow/playground-default-model/runs';
import config from '../lmflow.config.ts';

interface Sum {
  readonly prompt: readonly [{ readonly role: 'user'; readonly content: string }];
  readonly answer: string;
}

const HELD_OUT = 30;
const started = Date.now();
const { values } = parseArgs({
  options: { seed: { type: 'string', default: '42' }, steps: { type: 'string' } },
});
const { train, heldOut } = makeSums(Number(values.seed));
await writeLines('work/train.jsonl', train);
await writeLines('work/held-out.jsonl', heldOut);

const before = await accuracies();
const steps = values.steps === undefined ? [] : ['--max-steps', values.steps];
const kernel = await createKernel(config, { flags: ['--seed', values.seed, ...steps] });
try {
  await kernel.run('grpo');
} finally {
  await kernel.close();
}
const after = await accuracies('work/adapter');

console.log(`
right answers, greedy       before    after
${HELD_OUT} sums held out             ${share(before.heldOut)}     ${share(after.heldOut)}
${train.length} sums of training         ${share(before.train)}     ${share(after.train)}

${after.answers.join('\n')}

done in ${Math.round((Date.now() - started) / 1000)} s; the adapter is in work/adapter`);

/** All sums of two digits from 0 to 9, in random order. */
function makeSums(seed: number): { readonly train: Sum[]; readonly heldOut: Sum[] } {
  const order = [...randomStream(seed, 'sums').permutation(100)];
  const sums = order.map((index): Sum => {
    const [x, y] = [Math.floor(index / 10), index % 10];
    return { prompt: [{ role: 'user', content: `${x} + ${y} = ?` }], answer: String(x + y) };
  });
  return { train: sums.slice(HELD_OUT), heldOut: sums.slice(0, HELD_OUT) };
}

interface Accuracies {
  readonly train: number;
  readonly heldOut: number;
  /** Some answers to held-out questions. */
  readonly answers: readonly string[];
}

/** Share of sums whose last number is right, without or with the adapter. */
async function accuracies(adapter?: string): Promise<Accuracies> {
  const questions = [...train, ...heldOut].map(({ prompt: [{ content }] }) => content);
  const answers = await ask({ model: 'default', adapter }, questions, 16);
  const [trained, held] = [answers.slice(0, train.length), answers.slice(train.length)];
  return {
    train: rightShare(train, trained),
    heldOut: rightShare(heldOut, held),
    answers: held
      .slice(0, 5)
      .map(({ text }, index) => `${heldOut[index]!.prompt[0].content}  ${text}`),
  };
}

function rightShare(sums: readonly Sum[], answers: readonly Answer[]): number {
  const right = answers.filter(
    ({ text }, index) => text.match(/\d+/g)?.at(-1) === sums[index]!.answer,
  );
  return right.length / answers.length;
}

function share(part: number): string {
  return `${(100 * part).toFixed(0)}%`.padStart(4);
}
