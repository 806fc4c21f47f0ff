// Measures a model for its card: exact answers to facts and scenes, and whether answers end and
// repeat nothing. `npm run card -- FOLDER LIMIT`; the answers go to ./work/answers.jsonl.
import { readLines, writeLines } from './lines.ts';
import { answer, score, type Answered, type Score } from './measure.ts';
import { cardQuestions } from './questions.ts';
import { table } from './runs.ts';
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
await writeLines('work/answers.jsonl', answers);

const sets = [...grouped(answers, ({ set }) => set)].map(([set, group]) => row(set, score(group)));
const head = ['Set', 'Questions', 'Exact', 'Ends by itself', 'Repeats no four words'];
console.log(table(head, [...sets, row('all', score(answers))]));
const facts = answers.filter(({ relation }) => relation !== undefined);
const relations = [...grouped(facts, ({ relation }) => relation!)].map(([relation, group]) => {
  const parts = [...grouped(group, ({ set }) => set).values()];
  // With few questions, none may have been in an untrained wording.
  const [trained, untrained = ''] = parts.map((part) => percent(score(part).exact));
  return [relation, trained!, untrained];
});
console.log(`\n${table(['Relation', 'Trained wordings', 'Untrained wordings'], relations)}`);

function row(name: string, { questions, exact, ended, unrepeated }: Score): string[] {
  return [name, String(questions), ...[exact, ended, unrepeated].map(percent)];
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
