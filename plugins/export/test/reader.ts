// A GGUF file read whole, for tests: every tensor as float32.
import { openGguf } from '../src/gguf/reader.ts';
import { TENSOR_TYPES } from '../src/gguf/types.ts';

export interface ReadTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: string;
  readonly data: Float32Array;
}
export interface ReadGguf {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, ReadTensor>;
}

/** Numbers of a tensor's bytes. */
export function decode(typeName: string, bytes: Uint8Array): Float32Array {
  const type = Object.values(TENSOR_TYPES).find(({ name }) => name === typeName)!;
  return Float32Array.from(
    Array.from({ length: bytes.length / type.bytes }, (_, block) =>
      type.decode(bytes.slice(block * type.bytes, (block + 1) * type.bytes)),
    ).flat(),
  );
}

/** The whole file. */
export function readGguf(path: string): ReadGguf {
  const file = openGguf(path);
  const tensors = new Map(
    [...file.tensors].map(([name, tensor]) => {
      const { shape, type } = tensor;
      const count = shape.reduce((a, b) => a * b, 1);
      return [name, { name, shape, type: type.name, data: file.numbers(tensor, 0, count) }];
    }),
  );
  file.close();
  return { metadata: file.metadata, tensors };
}

const LLAMA = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  q_norm: 'attn_q_norm',
  k_norm: 'attn_k_norm',
  embed_tokens: 'token_embd',
  norm: 'output_norm',
  lm_head: 'output',
} as const;

/** llama.cpp's name of a tensor of llama and its relatives. */
export function llamaName(name: string): string {
  const parts = name.split('.');
  const layer = parts[1] === 'layers' ? `blk.${parts[2]!}.` : '';
  return `${layer}${LLAMA[parts.at(-2) as keyof typeof LLAMA]}.${parts.at(-1)!}`;
}
