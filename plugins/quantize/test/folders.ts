// Fixture models as folders of one's own: a copy with a tokenizer of made-up words t0 .. t95.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

export const root = resolve(import.meta.dirname, '../../..');
export const shared = join(root, '../shared');

export function temporary(name: string): string {
  return mkdtempSync(join(tmpdir(), `lmflow-${name}-`));
}

/** A copy of a folder of fixtures: a family (`families/llama`), or `packed/llama`. */
export function fixtureFolder(path: string): string {
  const folder = temporary(path.replaceAll('/', '-'));
  cpSync(join(root, 'test/fixtures', path), folder, { recursive: true });
  const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify({ version: '1.0', truncation: null, padding: null, added_tokens: [], normalizer: null,
    pre_tokenizer: { type: 'Whitespace' }, post_processor: null, decoder: null, model: { type: 'WordLevel', vocab, unk_token: 't0' } }));
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
  return folder;
}
