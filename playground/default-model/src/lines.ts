// The public entry `@lmflow/playground-default-model/lines`: files of JSON, a record a line.
import { readFileSync, writeFileSync } from 'node:fs';
import { dirname } from 'node:path';
import { makeFolder } from '@lmflow/sdk/files';

export function readLines<T>(file: string | URL): T[] {
  return readFileSync(file, 'utf8')
    .split('\n')
    .filter((line) => line !== '')
    .map((line) => JSON.parse(line) as T);
}

/** Makes the folder, too. */
export async function writeLines(file: string, records: readonly unknown[]): Promise<void> {
  await makeFolder(dirname(file));
  writeFileSync(file, records.map((one) => `${JSON.stringify(one)}\n`).join(''));
}
