// A tokenizer.json as GGUF's keys: byte-level BPE ("gpt2", with merges), or BPE from a
// SentencePiece model ("llama", with scores). Other kinds are refused.
import type { Logger } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { ggufTokenizer } from '../errors.ts';
import { bool, text, uint32, type List, type Scalar } from './file.ts';
import { preTokenizerName } from './pretokenizers.ts';

type Json = Readonly<Record<string, unknown>>;
type Keys = Map<string, Scalar | List>;

/** tokenizer.ggml.token_type */
const KIND = { normal: 1, unknown: 2, control: 3, userDefined: 4, unused: 5, byte: 6 } as const;

interface Vocabulary {
  readonly json: Json;
  readonly bpe: Json;
  readonly tokens: readonly string[];
  readonly kinds: Int32Array;
  readonly merges: readonly (readonly [string, string])[];
}

/** Every key of the tokenizer; throws LMFLOW_GGUF_TOKENIZER or LMFLOW_GGUF_PRE_TOKENIZER. */
export async function tokenizerKeys(model: Model, log: Logger): Promise<Keys> {
  const { tokenizer, source, eosIds = [] } = model;
  const json = JSON.parse(
    new TextDecoder().decode((await tokenizer.files()).get('tokenizer.json')),
  ) as Json;
  const vocabulary = readVocabulary(model, json);
  const keys: Keys = isSentencePiece(json)
    ? sentencePiece(source, vocabulary, log)
    : byteLevel(source, vocabulary);
  keys.set('tokenizer.ggml.tokens', { list: 'string', values: vocabulary.tokens });
  keys.set('tokenizer.ggml.token_type', { list: 'int32', values: vocabulary.kinds });
  const eos = tokenizer.eosId ?? eosIds[0];
  const [endOfTurn, endOfMessage] = eosIds.filter((id) => id !== eos);
  const unknown = vocabulary.bpe['unk_token'];
  const ids: Readonly<Record<string, number | undefined>> = {
    bos: tokenizer.bosId,
    eos,
    eot: endOfTurn,
    eom: endOfMessage,
    padding: tokenizer.padId,
    unknown: typeof unknown === 'string' ? tokenizer.tokenToId(unknown) : undefined,
  };
  for (const [name, id] of Object.entries(ids)) {
    if (id !== undefined) keys.set(`tokenizer.ggml.${name}_token_id`, uint32(id));
  }
  keys.set('tokenizer.ggml.add_bos_token', bool(tokenizer.addsBos));
  keys.set('tokenizer.ggml.add_eos_token', bool(tokenizer.addsEos));
  if (tokenizer.chatTemplate !== undefined) {
    keys.set('tokenizer.chat_template', text(tokenizer.chatTemplate));
  }
  return keys;
}

function readVocabulary({ source, architecture }: Model, json: Json): Vocabulary {
  const bpe = json['model'] as Json;
  if (bpe['type'] !== 'BPE') {
    throw ggufTokenizer(source, `it is a ${String(bpe['type'])} model, not BPE`);
  }
  const tokens = Array.from({ length: architecture.vocabularySize }, (_, id) => `[PAD${id}]`);
  const kinds = new Int32Array(tokens.length).fill(KIND.unused);
  for (const [token, id] of Object.entries(bpe['vocab'] as Record<string, number>)) {
    tokens[id] = token;
    kinds[id] = KIND.normal;
  }
  for (const { id, content, special } of (json['added_tokens'] ?? []) as {
    id: number;
    content: string;
    special: boolean;
  }[]) {
    tokens[id] = content;
    const control = content === bpe['unk_token'] ? KIND.unknown : KIND.control;
    kinds[id] = special ? control : KIND.userDefined;
  }
  const merges = (bpe['merges'] as (string | [string, string])[]).map((merge) =>
    typeof merge === 'string' ? (merge.split(' ') as [string, string]) : merge,
  );
  return { json, bpe, tokens, kinds, merges };
}

/** Whether it writes spaces as U+2581 and unknown characters as bytes. */
function isSentencePiece(json: Json): boolean {
  return (
    (json['model'] as Json)['byte_fallback'] === true ||
    JSON.stringify([json['normalizer'], json['pre_tokenizer']]).includes('\u2581')
  );
}

function byteLevel(source: string, { json, bpe, merges }: Vocabulary): Keys {
  for (const option of ['dropout', 'continuing_subword_prefix', 'end_of_word_suffix']) {
    if (bpe[option]) throw ggufTokenizer(source, `it has ${option}`);
  }
  return new Map<string, Scalar | List>([
    ['tokenizer.ggml.model', text('gpt2')],
    ['tokenizer.ggml.pre', text(preTokenizerName(source, json))],
    ['tokenizer.ggml.merges', { list: 'string', values: merges.map((merge) => merge.join(' ')) }],
  ]);
}

function sentencePiece(
  source: string,
  { json, bpe, tokens, kinds, merges }: Vocabulary,
  log: Logger,
): Keys {
  if (bpe['byte_fallback'] !== true) {
    throw ggufTokenizer(source, 'it marks spaces as SentencePiece does, but has no byte_fallback');
  }
  for (let id = 0; id < tokens.length; id++) {
    if (kinds[id] === KIND.normal && /^<0x[0-9A-F]{2}>$/.test(tokens[id]!)) kinds[id] = KIND.byte;
  }
  const odd = oddMerge(tokens, kinds, merges);
  if (odd !== undefined) {
    log.warn(
      `readers of the GGUF file merge by score and may split some texts differently: ${odd}`,
    );
  }
  return new Map<string, Scalar | List>([
    ['tokenizer.ggml.model', text('llama')],
    ['tokenizer.ggml.pre', text('default')],
    ['tokenizer.ggml.scores', { list: 'float32', values: scoresOf(tokens, kinds, merges) }],
    ['tokenizer.ggml.add_space_prefix', bool(spacePrefix(source, json, log))],
  ]);
}

/** The earlier a token is merged, the higher its score. */
function scoresOf(
  tokens: readonly string[],
  kinds: Int32Array,
  merges: Vocabulary['merges'],
): Float32Array {
  const ranks = new Map<string, number>();
  for (const [rank, [left, right]] of merges.entries()) {
    if (!ranks.has(left + right)) ranks.set(left + right, rank);
  }
  return Float32Array.from(tokens, (token, id) =>
    kinds[id] === KIND.normal ? -(ranks.get(token) ?? merges.length) : 0,
  );
}

/**
 * Readers merge any two neighbours that make a token, best score first. The result is an example of
 * BPE merges that differ from that, if there is one.
 */
function oddMerge(
  tokens: readonly string[],
  kinds: Int32Array,
  merges: Vocabulary['merges'],
): string | undefined {
  const known = new Set(merges.map((merge) => merge.join('\u0000')));
  const pieces = new Set(tokens.filter((_, id) => kinds[id] === KIND.normal));
  for (const token of pieces) {
    for (let cut = 1; cut < token.length; cut++) {
      const [left, right] = [token.slice(0, cut), token.slice(cut)];
      if (pieces.has(left) && pieces.has(right) && !known.has(`${left}\u0000${right}`)) {
        return `"${left}" and "${right}" are not merged to "${token}"`;
      }
    }
  }
  const done = new Set<string>();
  let last: string | undefined;
  for (const [left, right] of merges) {
    const token = left + right;
    if (token !== last && done.has(token)) {
      return `merges that make "${token}" are at different places`;
    }
    done.add((last = token));
  }
  return undefined;
}

/** Whether a normalizer or Metaspace puts a space before a text. */
function spacePrefix(
  source: string,
  { normalizer, pre_tokenizer: pre }: Json,
  log: Logger,
): boolean {
  const steps = (value: unknown, list: string): Json[] =>
    value ? (((value as Json)[list] as Json[] | undefined) ?? [value as Json]) : [];
  let replaced = false;
  let prefix = false;
  for (const step of steps(normalizer, 'normalizers')) {
    if (step['type'] === 'Prepend' && step['prepend'] === '\u2581') prefix = true;
    else if (
      step['type'] === 'Replace' &&
      step['content'] === '\u2581' &&
      (step['pattern'] as Json)['String'] === ' '
    ) {
      replaced = true;
    } else throw ggufTokenizer(source, `its normalizer has the step ${JSON.stringify(step)}`);
  }
  for (const step of steps(pre, 'pretokenizers')) {
    if (
      step['type'] !== 'Metaspace' ||
      step['replacement'] !== '\u2581' ||
      step['split'] !== false
    ) {
      throw ggufTokenizer(source, `its pre-tokenizer has the step ${JSON.stringify(step)}`);
    }
    replaced = true;
    const scheme =
      step['prepend_scheme'] ?? (step['add_prefix_space'] === false ? 'never' : 'always');
    prefix ||= scheme !== 'never';
    if (scheme === 'first') {
      log.warn(
        'the tokenizer puts a space before the first text only, ' +
          'but readers of the GGUF file put one after every special token too',
      );
    }
  }
  if (!replaced) throw ggufTokenizer(source, 'it does not write spaces as U+2581');
  return prefix;
}
