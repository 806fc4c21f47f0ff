// The files of a small language model, for tests that load one: a llama of a few thousand
// parameters and a tokenizer of made-up words.
import { mkdtemp, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { makeFolder } from '../files/index.ts';
import { writeSafetensors } from '../formats/index.ts';
import { sizeOf, type Shape } from '../graph/index.ts';
import { randomStream } from '../random.ts';

/** Sizes of the tiny model. */
export interface TinyModelOptions {
  /** Where its files are written; a new temporary folder by default. */
  readonly folder?: string;
  /** Blocks; default 2. */
  readonly layers?: number;
  /** Width of the hidden states, 2 heads' worth; default 16. */
  readonly hiddenSize?: number;
  /** Words `t0`, `t1`, ... of the tokenizer; default 32. `t1` ends a text. */
  readonly vocabularySize?: number;
  /** Of its random numbers; default 0. */
  readonly seed?: number;
  /** Further keys of config.json, stronger than the model's own. */
  readonly config?: Readonly<Record<string, unknown>>;
}

/** Writes a tiny llama; returns its folder. The same options give the same numbers. */
export async function writeTinyModel(options: TinyModelOptions = {}): Promise<string> {
  const { layers = 2, hiddenSize = 16, vocabularySize = 32, seed = 0 } = options;
  const folder = options.folder ?? (await mkdtemp(join(tmpdir(), 'lmflow-tiny-model-')));
  await makeFolder(folder);
  const write = (name: string, value: unknown): Promise<void> =>
    writeFile(join(folder, name), `${JSON.stringify(value, undefined, 2)}\n`);
  const intermediateSize = 2 * hiddenSize - 8;
  await write('config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: hiddenSize,
    intermediate_size: intermediateSize,
    num_hidden_layers: layers,
    num_attention_heads: 2,
    num_key_value_heads: 1,
    head_dim: hiddenSize / 2,
    hidden_act: 'silu',
    max_position_embeddings: 64,
    rms_norm_eps: 1e-6,
    rope_theta: 10_000,
    tie_word_embeddings: false,
    vocab_size: vocabularySize,
    bos_token_id: 1,
    eos_token_id: 1,
    torch_dtype: 'float32',
    ...options.config,
  });
  await write('tokenizer.json', tokenizer(vocabularySize));
  await write('tokenizer_config.json', { eos_token: 't1' });
  const shapes = shapesOf({ layers, hiddenSize, intermediateSize, vocabularySize });
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    Object.entries(shapes).map(([name, shape]) => [
      name,
      { shape, data: numbers(name, shape, seed) },
    ]),
  );
  return folder;
}

function tokenizer(vocabularySize: number): Readonly<Record<string, unknown>> {
  const vocab = Object.fromEntries(
    Array.from({ length: vocabularySize }, (_, id) => [`t${id}`, id]),
  );
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [],
    normalizer: null,
    pre_tokenizer: { type: 'Whitespace' },
    post_processor: null,
    decoder: null,
    model: { type: 'WordLevel', vocab, unk_token: 't0' },
  };
}

function shapesOf(sizes: {
  readonly layers: number;
  readonly hiddenSize: number;
  readonly intermediateSize: number;
  readonly vocabularySize: number;
}): Readonly<Record<string, Shape>> {
  const { layers, hiddenSize: hidden, intermediateSize: inner, vocabularySize } = sizes;
  const block = (index: number): Readonly<Record<string, Shape>> => ({
    [`model.layers.${index}.input_layernorm.weight`]: [hidden],
    [`model.layers.${index}.self_attn.q_proj.weight`]: [hidden, hidden],
    [`model.layers.${index}.self_attn.k_proj.weight`]: [hidden / 2, hidden],
    [`model.layers.${index}.self_attn.v_proj.weight`]: [hidden / 2, hidden],
    [`model.layers.${index}.self_attn.o_proj.weight`]: [hidden, hidden],
    [`model.layers.${index}.post_attention_layernorm.weight`]: [hidden],
    [`model.layers.${index}.mlp.gate_proj.weight`]: [inner, hidden],
    [`model.layers.${index}.mlp.up_proj.weight`]: [inner, hidden],
    [`model.layers.${index}.mlp.down_proj.weight`]: [hidden, inner],
  });
  return Object.assign(
    {
      'model.embed_tokens.weight': [vocabularySize, hidden],
      'model.norm.weight': [hidden],
      'lm_head.weight': [vocabularySize, hidden],
    },
    ...Array.from({ length: layers }, (_, index) => block(index)),
  ) as Readonly<Record<string, Shape>>;
}

/** Norms are near 1, matrices near their usual scale. */
function numbers(name: string, shape: Shape, seed: number): Float32Array {
  const stream = randomStream(seed, 'tiny-model', name);
  const [mean, deviation] = shape.length === 1 ? [1, 0.1] : [0, 1 / Math.sqrt(shape[1]!)];
  return Float32Array.from(
    { length: sizeOf(shape) },
    (_, index) => mean + deviation * stream.normal(index),
  );
}
