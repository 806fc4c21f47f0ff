// Writes a domain as the files that the configurations and the task files name.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '@lmflow/sdk/files';
import type { Conversation } from '@lmflow/playground-default-model/world';
import type { Domain } from './domain.ts';

/** Writes texts, tasks, shuffled-tasks and replay (.jsonl), and tests/TASK/test.jsonl. */
export async function writeDomain(
  folder: string,
  domain: Domain,
  replay: readonly Conversation[],
): Promise<void> {
  const write = async (place: string, file: string, values: readonly unknown[]): Promise<void> => {
    await makeFolder(join(folder, place));
    const lines = values.map((value) => `${JSON.stringify(value)}\n`);
    writeFileSync(join(folder, place, file), lines.join(''));
  };
  const asText = (texts: readonly string[]): unknown[] =>
    texts.map((text) => ({ text: ` ${text}` }));
  await write('.', 'texts.jsonl', asText(domain.texts));
  await write('.', 'tasks.jsonl', domain.tasks);
  await write('.', 'shuffled-tasks.jsonl', domain.shuffledTasks);
  const conversations = replay.map((messages) => ({ messages }));
  await write('.', 'replay.jsonl', conversations);
  for (const [task, records] of Object.entries(domain.tests)) {
    await write(join('tests', task), 'test.jsonl', records);
  }
  await write('tests/m2_written', 'test.jsonl', domain.written);
  await write('tests/text_domain', 'test.jsonl', asText(domain.heldOutTexts));
  await write('tests/text_far', 'test.jsonl', asText(domain.farTexts));
}
