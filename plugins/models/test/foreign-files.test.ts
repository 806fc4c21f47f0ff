// JSON files of a model's folder as they come from elsewhere: Git LFS pointers, byte order marks,
// more megabytes than anyone wrote; and what a text is told that the tokenizer takes long for.
import { readFile, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import { textFailed } from '../src/tokenizer/failure.ts';
import { ProcessEnded } from '../src/tokenizer/tokenizer-process.ts';
import { loadFolder, modelFolder, removeFolders } from './folders.ts';
import { rejects } from './rejects.ts';

const test = suite('files from elsewhere');
test.after(removeFolders);

const FILES = ['config.json', 'generation_config.json', 'tokenizer.json', 'tokenizer_config.json'];
const POINTER = 'version https://git-lfs.github.com/spec/v1\noid sha256:1\nsize 1\n';

for (const file of FILES) {
  test(`${file} that is a Git LFS pointer`, async () => {
    const folder = await modelFolder('llama', (at) => writeFile(join(at, file), POINTER));
    const error = await rejects(
      loadFolder(folder),
      'LMFLOW_MODEL_FILE_INVALID',
      new RegExp(`${file} is a Git LFS pointer`),
    );
    assert.match(String(error.hint), /git lfs pull/);
  });

  test(`${file} of more than 64 MB`, async () => {
    const folder = await modelFolder('llama', async (at) => {
      await writeFile(join(at, file), '{');
      await truncate(join(at, file), 2 ** 26 + 1);
    });
    await rejects(
      loadFolder(folder),
      'LMFLOW_MODEL_FILE_INVALID',
      new RegExp(`${file} cannot be read: it has 65 MB; it may have 64 MB`),
    );
  });
}

test('config.json and tokenizer.json may begin with a byte order mark', async () => {
  const folder = await modelFolder('llama', async (at) => {
    for (const file of ['config.json', 'tokenizer.json']) {
      await writeFile(join(at, file), `\uFEFF${await readFile(join(at, file), 'utf8')}`);
    }
  });
  const { tokenizer } = await loadFolder(folder);
  const { tokenizer: plain } = await loadFolder(await modelFolder('llama'));
  assert.equal(tokenizer.encode('a text'), plain.encode('a text'));
});

test('a text that takes the tokenizer over a minute is told with its length', () => {
  const error = textFailed(
    't.json',
    'tokenizing',
    'ab'.repeat(3000),
    new ProcessEnded('slow', undefined, false),
  );
  assert.is(error.code, 'LMFLOW_TOKENIZER_SLOW');
  assert.match(error.message, /a text of 6000 characters .* takes longer than a minute/);
});

test.run();
