// GGUF's names of pre-tokenizers: how byte-level BPE tokenizers split a text before they merge. A
// pre-tokenizer that is not in this table is refused.
import { ggufPreTokenizer } from '../errors.ts';

type Json = Readonly<Record<string, unknown>>;

// Case-insensitive contractions, words with one leading character, digits, punctuation, line ends,
// spaces (OpenAI's cl100k and its descendants).
const words = (digits: string): string =>
  `(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\\r\\n\\p{L}\\p{N}]?\\p{L}+|${digits}` +
  '| ?[^\\s\\p{L}\\p{N}]+[\\r\\n]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';
const TEKKEN =
  '[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]*[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]+' +
  '|[^\\r\\n\\p{L}\\p{N}]?[\\p{Lu}\\p{Lt}\\p{Lm}\\p{Lo}\\p{M}]+[\\p{Ll}\\p{Lm}\\p{Lo}\\p{M}]*' +
  '|\\p{N}| ?[^\\s\\p{L}\\p{N}]+[\\r\\n/]*|\\s*[\\r\\n]+|\\s+(?!\\S)|\\s+';

interface PreTokenizer {
  readonly name: string;
  readonly steps: readonly string[];
  /** Whether readers use a word that is a token before they merge; absent: both tokenizers fit. */
  readonly ignoreMerges?: boolean;
  readonly normalizers: readonly string[];
}

const split = (regex: string): string => `split ${regex}`;
const BYTES = 'bytes';
const GPT2_BYTES = 'bytes after the expression of GPT-2';

const KNOWN: readonly PreTokenizer[] = [
  { name: 'gpt-2', steps: [GPT2_BYTES], ignoreMerges: false, normalizers: ['none'] },
  {
    name: 'smollm',
    steps: ['single digits', GPT2_BYTES],
    ignoreMerges: false,
    normalizers: ['none'],
  },
  {
    name: 'llama-bpe',
    steps: [split(words('\\p{N}{1,3}')), BYTES],
    ignoreMerges: true,
    normalizers: ['none'],
  },
  {
    name: 'smaug-bpe',
    steps: [split(words('\\p{N}{1,3}')), BYTES],
    ignoreMerges: false,
    normalizers: ['none'],
  },
  // Readers leave out NFC, which Qwen's tokenizers have: nearly all text is in NFC already.
  {
    name: 'qwen2',
    steps: [split(words('\\p{N}')), BYTES],
    ignoreMerges: false,
    normalizers: ['none', 'NFC'],
  },
  { name: 'tekken', steps: [split(TEKKEN), BYTES], normalizers: ['none'] },
];

/**
 * tokenizer.ggml.pre for a tokenizer.json; throws LMFLOW_GGUF_PRE_TOKENIZER if it has no name in
 * GGUF.
 */
export function preTokenizerName(
  source: string,
  { pre_tokenizer: pre, normalizer, model }: Json,
): string {
  const steps = stepsOf(pre);
  const normalizers =
    normalizer === null || normalizer === undefined ? 'none' : String((normalizer as Json)['type']);
  const ignores = (model as Json)['ignore_merges'] === true;
  const found = KNOWN.find(
    (known) =>
      known.steps.join('\n') === steps.join('\n') &&
      known.normalizers.includes(normalizers) &&
      (known.ignoreMerges ?? ignores) === ignores,
  );
  if (!found) {
    const normalized = normalizers === 'none' ? '' : `, after the normalizer ${normalizers}`;
    throw ggufPreTokenizer(
      source,
      `${steps.join(', then ')}${normalized}${ignores ? ', with ignore_merges' : ''}`,
      KNOWN.map(({ name }) => name),
    );
  }
  return found.name;
}

/** The steps of a pre_tokenizer as texts that can be compared. */
function stepsOf(pre: unknown): string[] {
  if (pre === null || pre === undefined) return ['nothing'];
  const step = pre as Json;
  switch (step['type']) {
    case 'Sequence':
      return (step['pretokenizers'] as unknown[]).flatMap(stepsOf);
    case 'ByteLevel':
      if (step['add_prefix_space'] === true) return [JSON.stringify(step)];
      return [step['use_regex'] === false ? BYTES : GPT2_BYTES];
    case 'Digits':
      return [step['individual_digits'] === true ? 'single digits' : JSON.stringify(step)];
    case 'Split': {
      const regex = (step['pattern'] as { Regex?: string } | undefined)?.Regex;
      return [
        regex !== undefined && step['behavior'] === 'Isolated' && step['invert'] !== true
          ? split(regex)
          : JSON.stringify(step),
      ];
    }
    default:
      return [JSON.stringify(step)];
  }
}
