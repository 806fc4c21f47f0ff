// A random llama of three blocks whose rows are 256 numbers, as the k-quants need.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '@lmflow/sdk';
import { writeSafetensors, type TensorToWrite } from '@lmflow/sdk/formats';
import { scratch, tokenizerJson } from './folders.ts';

/** Its folder; `heads` of `width` numbers, which are 256 together in the usual one. */
export async function wideLlama({ heads = 4, width = 64 } = {}): Promise<string> {
  const size = heads * width;
  const folder = scratch('wide');
  const shapes: [string, number[]][] = [
    ['model.embed_tokens.weight', [96, size]],
    ['lm_head.weight', [96, size]],
    ['model.norm.weight', [size]],
  ];
  for (const layer of [0, 1, 2]) {
    const block = `model.layers.${layer}`;
    for (const name of ['q', 'k', 'v', 'o']) {
      shapes.push([`${block}.self_attn.${name}_proj.weight`, [size, size]]);
    }
    shapes.push(
      [`${block}.mlp.gate_proj.weight`, [512, size]],
      [`${block}.mlp.up_proj.weight`, [512, size]],
      [`${block}.mlp.down_proj.weight`, [size, 512]],
    );
    for (const name of ['input', 'post_attention']) {
      shapes.push([`${block}.${name}_layernorm.weight`, [size]]);
    }
  }
  const random = randomStream(3, 'test', 'wide');
  let drawn = 0;
  await writeSafetensors(
    join(folder, 'model.safetensors'),
    shapes.map(([name, shape]): [string, TensorToWrite] => [
      name,
      {
        shape,
        data: Float32Array.from({ length: shape.reduce((a, b) => a * b, 1) }, () =>
          shape.length === 1 ? 1 : 0.1 * random.normal(drawn++),
        ),
      },
    ]),
  );
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      model_type: 'llama',
      architectures: ['LlamaForCausalLM'],
      hidden_size: size,
      intermediate_size: 512,
      num_hidden_layers: 3,
      num_attention_heads: heads,
      num_key_value_heads: heads,
      vocab_size: 96,
      max_position_embeddings: 64,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      hidden_act: 'silu',
      tie_word_embeddings: false,
      bos_token_id: 0,
      eos_token_id: 1,
    }),
  );
  writeFileSync(join(folder, 'tokenizer.json'), JSON.stringify(tokenizerJson()));
  writeFileSync(
    join(folder, 'tokenizer_config.json'),
    JSON.stringify({ bos_token: '<s>', eos_token: '</s>' }),
  );
  return folder;
}
