// A model of made-up words, and a task that asks for the next one.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

const LLAMA = resolve(import.meta.dirname, '../../../test/fixtures/families/llama');

/** Folders of a model and its task file. */
export interface WordsFixture {
  readonly model: string;
  readonly task: string;
}

/** Writes them into folders of their own. */
export function wordsFixture(): WordsFixture {
  const [model, folder] = ['model', 'task'].map((name) =>
    mkdtempSync(join(tmpdir(), `lmflow-words-${name}-`)),
  ) as [string, string];
  cpSync(LLAMA, model, { recursive: true });
  writeWordTokenizer(model);
  const data = join(folder, 'test.jsonl');
  const lines = Array.from({ length: 24 }, (_, at) => ({
    q: `t${at + 1} t${at + 5} t${at + 30}`,
    options: [`t${at + 2}`, `t${at + 40}`, `t${at + 3} t${at + 4}`],
    gold: at % 3,
  }));
  writeFileSync(data, lines.map((line) => `${JSON.stringify(line)}\n`).join(''));
  const task = join(folder, 'words.json');
  writeFileSync(
    task,
    JSON.stringify({
      task: 'words',
      version: 1,
      type: 'choice',
      dataset: { path: data },
      splits: { test: 'train' },
      prompt: '{{q}}',
      choices: 'options',
      gold: 'gold',
      metrics: ['acc', 'acc_norm'],
    }),
  );
  return { model, task };
}
