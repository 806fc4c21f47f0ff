// Learns a byte-level BPE tokenizer from sentences, with Hugging Face's tokenizers library, and
// writes it as a model's tokenizer files, with the tokens of the chat format.
import { readFileSync, rmSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { BPE, Tokenizer, byteLevelAlphabet, byteLevelPreTokenizer } from 'tokenizers';

interface TokenizerJson {
  model: { vocab: Record<string, number>; merges: (string | [string, string])[] };
  [key: string]: unknown;
}

/** Special tokens come first: the beginning is 0, the end of a text or a turn is 1. */
const SPECIAL = ['<s>', '<|end|>', '<|user|>', '<|assistant|>', '<|system|>'];

/** Learns `size` tokens, the special ones among them. */
export function learnTokenizer(folder: string, sentences: readonly string[], size: number): void {
  const corpus = join(folder, 'corpus.txt');
  const file = join(folder, 'tokenizer.json');
  writeFileSync(corpus, sentences.map((sentence) => ` ${sentence}`).join('\n'));
  const tokenizer = new Tokenizer(BPE.empty());
  tokenizer.setPreTokenizer(byteLevelPreTokenizer(false));
  tokenizer.train([corpus]);
  tokenizer.save(file);
  // The library's trainer takes no size from JavaScript: merges are in the order they were learned,
  // so the first ones are the small tokenizer.
  const learned = JSON.parse(readFileSync(file, 'utf8')) as TokenizerJson;
  const tokens = [...SPECIAL, ...byteLevelAlphabet().sort()];
  const merges = learned.model.merges.slice(0, size - tokens.length);
  for (const merge of merges) {
    tokens.push(typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''));
  }
  learned.model.vocab = Object.fromEntries(tokens.map((token, id) => [token, id]));
  learned.model.merges = merges;
  learned['added_tokens'] = SPECIAL.map((content, id) => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  }));
  learned['decoder'] = {
    type: 'ByteLevel',
    add_prefix_space: false,
    trim_offsets: true,
    use_regex: true,
  };
  learned['post_processor'] = {
    type: 'TemplateProcessing',
    single: [{ SpecialToken: { id: '<s>', type_id: 0 } }, { Sequence: { id: 'A', type_id: 0 } }],
    pair: [{ Sequence: { id: 'A', type_id: 0 } }, { Sequence: { id: 'B', type_id: 0 } }],
    special_tokens: { '<s>': { id: '<s>', ids: [0], tokens: ['<s>'] } },
  };
  rmSync(corpus);
  writeFileSync(file, JSON.stringify(learned));
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify(
      {
        tokenizer_class: 'PreTrainedTokenizerFast',
        bos_token: '<s>',
        eos_token: '<|end|>',
        model_max_length: 1024,
      },
      undefined,
      1,
    ),
  );
}
