// The models the benchmark measures, and how their random checkpoints are written. Speed and memory
// do not depend on the numbers.
import { existsSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '@lmflow/sdk';
import { writeFolder } from '@lmflow/sdk/files';
import { toBfloat16, writeCheckpoint, type TensorToWrite } from '@lmflow/sdk/formats';

export interface Shape {
  readonly hidden: number;
  readonly layers: number;
  readonly heads: number;
  readonly keyValueHeads: number;
  readonly intermediate: number;
  readonly vocabulary: number;
  readonly tied: boolean;
  readonly dtype: 'float32' | 'bfloat16';
}

export const SHAPES: Readonly<Record<string, Shape>> = {
  '134m': {
    hidden: 576,
    layers: 30,
    heads: 9,
    keyValueHeads: 3,
    intermediate: 1536,
    vocabulary: 49152,
    tied: true,
    dtype: 'float32',
  },
  '20m': {
    hidden: 320,
    layers: 8,
    heads: 5,
    keyValueHeads: 5,
    intermediate: 896,
    vocabulary: 32000,
    tied: true,
    dtype: 'float32',
  },
  '1.1b': {
    hidden: 2048,
    layers: 22,
    heads: 32,
    keyValueHeads: 4,
    intermediate: 5632,
    vocabulary: 32000,
    tied: false,
    dtype: 'bfloat16',
  },
  '7b': {
    hidden: 4096,
    layers: 32,
    heads: 32,
    keyValueHeads: 32,
    intermediate: 11008,
    vocabulary: 32000,
    tied: false,
    dtype: 'bfloat16',
  },
};

/** [outFeatures, inFeatures] of the seven linears of a block. */
export function blockLinears({
  hidden,
  heads,
  keyValueHeads,
  intermediate,
}: Shape): Record<string, readonly [number, number]> {
  const keyValue = (hidden / heads) * keyValueHeads;
  return {
    'self_attn.q_proj': [hidden, hidden],
    'self_attn.k_proj': [keyValue, hidden],
    'self_attn.v_proj': [keyValue, hidden],
    'self_attn.o_proj': [hidden, hidden],
    'mlp.gate_proj': [intermediate, hidden],
    'mlp.up_proj': [intermediate, hidden],
    'mlp.down_proj': [hidden, intermediate],
  };
}

/** Writes the checkpoint once; gives its folder. */
export async function checkpoint(name: string, cache: string): Promise<string> {
  const shape = SHAPES[name]!;
  const folder = join(cache, `${name}-2`); // 2: with a tokenizer that every format has
  if (existsSync(folder)) return folder;
  const files = {
    'config.json': config(shape),
    'tokenizer.json': tokenizer(shape.vocabulary),
    'tokenizer_config.json': { bos_token: '<s>', eos_token: '</s>' },
  };
  await writeFolder(folder, async (directory) => {
    await writeCheckpoint(directory, tensors(shape));
    for (const [name, content] of Object.entries(files)) {
      writeFileSync(join(directory, name), JSON.stringify(content));
    }
  });
  return folder;
}

function config(shape: Shape): Record<string, unknown> {
  return {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: shape.hidden,
    intermediate_size: shape.intermediate,
    num_hidden_layers: shape.layers,
    num_attention_heads: shape.heads,
    num_key_value_heads: shape.keyValueHeads,
    head_dim: shape.hidden / shape.heads,
    vocab_size: shape.vocabulary,
    max_position_embeddings: 2048,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: shape.tied,
    hidden_act: 'silu',
    bos_token_id: 0,
    eos_token_id: 1,
    torch_dtype: shape.dtype,
  };
}

/**
 * Byte-level BPE whose tokens are two specials, the bytes and pairs of bytes: of any size, and
 * every reader knows its kind.
 */
function tokenizer(size: number): Record<string, unknown> {
  const printable = (byte: number): boolean =>
    (byte > 32 && byte < 127) || (byte > 160 && byte !== 173);
  let others = 0;
  const bytes = Array.from({ length: 256 }, (_, byte) =>
    String.fromCharCode(printable(byte) ? byte : 256 + others++),
  );
  const merges = Array.from(
    { length: Math.min(size - 258, 1 << 16) },
    (_, index): [string, string] => [bytes[index >> 8]!, bytes[index & 255]!],
  );
  const special = (id: number, content: string): Record<string, unknown> => ({
    id,
    content,
    single_word: false,
    lstrip: false,
    rstrip: false,
    normalized: false,
    special: true,
  });
  return {
    version: '1.0',
    truncation: null,
    padding: null,
    added_tokens: [special(0, '<s>'), special(1, '</s>')],
    normalizer: null,
    post_processor: null,
    pre_tokenizer: {
      type: 'ByteLevel',
      add_prefix_space: false,
      trim_offsets: true,
      use_regex: true,
    },
    decoder: { type: 'ByteLevel', add_prefix_space: true, trim_offsets: true, use_regex: true },
    model: {
      type: 'BPE',
      dropout: null,
      unk_token: null,
      fuse_unk: false,
      byte_fallback: false,
      ignore_merges: false,
      vocab: Object.fromEntries(
        ['<s>', '</s>', ...bytes, ...merges.map((pair) => pair.join(''))].map((token, id) => [
          token,
          id,
        ]),
      ),
      merges,
    },
  };
}

function tensors(shape: Shape): (readonly [string, TensorToWrite])[] {
  const table = [shape.vocabulary, shape.hidden] as const;
  const blocks = Array.from({ length: shape.layers }, (_, layer) => `model.layers.${layer}`);
  return [
    ['model.embed_tokens.weight', random(table, shape)],
    ...blocks.flatMap((prefix) => [
      ...Object.entries(blockLinears(shape)).map(
        ([name, size]) => [`${prefix}.${name}.weight`, random(size, shape)] as const,
      ),
      ...['input_layernorm', 'post_attention_layernorm'].map(
        (name) => [`${prefix}.${name}.weight`, ones(shape)] as const,
      ),
    ]),
    ['model.norm.weight', ones(shape)],
    ...(shape.tied ? [] : [['lm_head.weight', random(table, shape)] as const]),
  ];
}

// Normal numbers with deviation 0.02 as transformers draws them, from one long table: every row
// starts at another place of it.
const random = ([rows, columns]: readonly [number, number], { dtype }: Shape): TensorToWrite =>
  stored([rows, columns], dtype, (data) => {
    for (let row = 0; row < rows; row++) {
      const start = stream.bits(noise.length + places++) % (noise.length - columns);
      data.set(noise.subarray(start, start + columns), row * columns);
    }
  });
const ones = ({ hidden, dtype }: Shape): TensorToWrite =>
  stored([hidden], dtype, (data) => {
    data.fill(1);
  });
const stream = randomStream(1, 'bench');
const noise = Float32Array.from({ length: 1 << 21 }, (_, index) => 0.02 * stream.normal(index));
let places = 0;

// Made when its turn to be written comes, so that the checkpoint is never in memory whole.
function stored(
  shape: readonly number[],
  dtype: Shape['dtype'],
  fill: (data: Float32Array) => void,
): TensorToWrite {
  const make = (): Float32Array => {
    const data = new Float32Array(shape.reduce((product, size) => product * size, 1));
    fill(data);
    return data;
  };
  return dtype === 'float32'
    ? { shape, data: () => Promise.resolve(make()) }
    : { shape, dtype: 'BF16', data: () => Promise.resolve(toBfloat16(make())) };
}
