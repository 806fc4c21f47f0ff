// A fixture model of a few thousand numbers with a tokenizer of made-up words. Not a test.
import { cpSync, mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';

/** A new folder with the model, whose words are t0 (unknown), t1 (end of text), t2, ... t95. */
export function fixtureModel(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-fixture-'));
  const write = (file: string, value: unknown): void => {
    writeFileSync(join(folder, file), JSON.stringify(value));
  };
  cpSync(resolve(import.meta.dirname, '../fixtures/families/llama'), folder, { recursive: true });
  const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
  write('tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 't0' },
  });
  write('tokenizer_config.json', { eos_token: 't1' });
  return folder;
}
