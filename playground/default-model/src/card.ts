// Measures a model for its card: exact answers to facts and scenes, and whether answers end and
// repeat nothing. `npm run card -- FOLDER LIMIT`; the answers go to ./work/answers.jsonl.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { answer, score, type Answered, type Score } from './measure.ts';
import { cardQuestions } from './questions.ts';
import { WordNet } from './wordnet/index.ts';
import type { Fact, Scene } from './world/index.ts';

const [folder = 'work/base', limit = '1000'] = process.argv.slice(2);
const wordnet = new WordNet();
const questions = cardQuestions(
  readLines<Fact>('work/facts.jsonl'),
  readLines<Scene>('work/held-out-scenes.jsonl'),
  (word) => wordnet.has(word),
  Number(limit),
);
const answers = await answer(folder, questions);
mkdirSync('work', { recursive: true });
writeFileSync('work/answers.jsonl', answers.map((one) => `${JSON.stringify(one)}\n`).join(''));

console.log('| Set | Questions | Exact | Ends by itself | Repeats no four words |');
console.log('| --- | --- | --- | --- | --- |');
for (const [set, group] of grouped(answers, ({ set }) => set)) console.log(row(set, score(group)));
console.log(row('all', score(answers)));
console.log('\n| Relation | Trained wordings | Untrained wordings |\n| --- | --- | --- |');
const facts = answers.filter(({ relation }) => relation !== undefined);
for (const [relation, group] of grouped(facts, ({ relation }) => relation!)) {
  const [trained, untrained] = [...grouped(group, ({ set }) => set).values()].map(score);
  console.log(`| ${relation} | ${percent(trained!.exact)} | ${percent(untrained!.exact)} |`);
}

function row(name: string, { questions, exact, ended, unrepeated }: Score): string {
  return `| ${[name, questions, ...[exact, ended, unrepeated].map(percent)].join(' | ')} |`;
}

function percent(part: number): string {
  return `${(100 * part).toFixed(1)}%`;
}

function grouped(
  list: readonly Answered[],
  key: (answer: Answered) => string,
): Map<string, Answered[]> {
  const groups = new Map<string, Answered[]>();
  for (const answer of list) {
    const group = groups.get(key(answer)) ?? [];
    groups.set(key(answer), [...group, answer]);
  }
  return groups;
}

function readLines<T>(file: string): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}
