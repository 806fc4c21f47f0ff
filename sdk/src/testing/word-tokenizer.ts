// A tokenizer for models that speak in token ids, as small fixtures do: 96 made-up words, t0 to t95.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';

/** Writes its tokenizer.json into a folder. */
export function writeWordTokenizer(folder: string): void {
  const vocab = Object.fromEntries(Array.from({ length: 96 }, (_, id) => [`t${id}`, id]));
  writeFileSync(
    join(folder, 'tokenizer.json'),
    JSON.stringify({
      version: '1.0',
      truncation: null,
      padding: null,
      added_tokens: [],
      normalizer: null,
      pre_tokenizer: { type: 'Whitespace' },
      post_processor: null,
      decoder: null,
      model: { type: 'WordLevel', vocab, unk_token: 't0' },
    }),
  );
}
