// Writes a domain as the files that the configurations and the task files name.
import { join } from 'node:path';
import { writeLines } from '@lmflow/playground-default-model/lines';
import type { Conversation } from '@lmflow/playground-default-model/world';
import type { Domain } from './domain.ts';

/** Writes texts, tasks, shuffled-tasks and replay (.jsonl), and tests/TASK/test.jsonl. */
export async function writeDomain(
  folder: string,
  domain: Domain,
  replay: readonly Conversation[],
): Promise<void> {
  const write = (file: string, records: readonly unknown[]): Promise<void> =>
    writeLines(join(folder, file), records);
  const asText = (texts: readonly string[]): unknown[] =>
    texts.map((text) => ({ text: ` ${text}` }));
  await write('texts.jsonl', asText(domain.texts));
  await write('tasks.jsonl', domain.tasks);
  await write('shuffled-tasks.jsonl', domain.shuffledTasks);
  const conversations = replay.map((messages) => ({ messages }));
  await write('replay.jsonl', conversations);
  for (const [task, records] of Object.entries(domain.tests)) {
    await write(`tests/${task}/test.jsonl`, records);
  }
  await write('tests/m2_written/test.jsonl', domain.written);
  await write('tests/text_domain/test.jsonl', asText(domain.heldOutTexts));
  await write('tests/text_far/test.jsonl', asText(domain.farTexts));
}
