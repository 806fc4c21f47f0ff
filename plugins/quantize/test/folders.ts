// Fixture models as folders of one's own: a copy with a tokenizer of made-up words t0 .. t95.
import { cpSync, mkdtempSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { randomStream } from '@lmflow/sdk';
import { writeCheckpoint, type TensorToWrite } from '@lmflow/sdk/formats';
import { writeWordTokenizer } from '@lmflow/sdk/testing';

export const root = resolve(import.meta.dirname, '../../..');
export const shared = join(root, '../shared');

export function temporary(name: string): string {
  return mkdtempSync(join(tmpdir(), `lmflow-${name}-`));
}

/** A copy of a folder of fixtures: a family (`families/llama`), or `packed/llama`. */
export function fixtureFolder(path: string): string {
  const folder = temporary(path.replaceAll('/', '-'));
  cpSync(join(root, 'test/fixtures', path), folder, { recursive: true });
  writeWordTokenizer(folder);
  writeFileSync(join(folder, 'tokenizer_config.json'), JSON.stringify({ eos_token: 't1' }));
  return folder;
}

/** A random Llama with rows of 64 and 96 numbers. */
export async function wideFolder(): Promise<string> {
  const folder = fixtureFolder('families/llama');
  const [hidden, intermediate, keyValue, vocabulary] = [64, 96, 32, 96];
  let drawn = 0;
  const random = (rows: number, columns: number): TensorToWrite => ({
    shape: [rows, columns],
    data: Float32Array.from(
      { length: rows * columns },
      () => 0.2 * randomStream(1, 'wide').normal(drawn++),
    ),
  });
  const ones: TensorToWrite = { shape: [hidden], data: new Float32Array(hidden).fill(1) };
  const blocks = [0, 1].map((layer) => `model.layers.${layer}`);
  await writeCheckpoint(folder, [
    ['model.embed_tokens.weight', random(vocabulary, hidden)],
    ['lm_head.weight', random(vocabulary, hidden)],
    ['model.norm.weight', ones],
    ...blocks.flatMap((block): [string, TensorToWrite][] => [
      [`${block}.input_layernorm.weight`, ones],
      [`${block}.post_attention_layernorm.weight`, ones],
      [`${block}.self_attn.q_proj.weight`, random(hidden, hidden)],
      [`${block}.self_attn.k_proj.weight`, random(keyValue, hidden)],
      [`${block}.self_attn.v_proj.weight`, random(keyValue, hidden)],
      [`${block}.self_attn.o_proj.weight`, random(hidden, hidden)],
      [`${block}.mlp.gate_proj.weight`, random(intermediate, hidden)],
      [`${block}.mlp.up_proj.weight`, random(intermediate, hidden)],
      [`${block}.mlp.down_proj.weight`, random(hidden, intermediate)],
    ]),
  ]);
  const config = JSON.parse(readFileSync(join(folder, 'config.json'), 'utf8')) as Record<
    string,
    unknown
  >;
  writeFileSync(
    join(folder, 'config.json'),
    JSON.stringify({
      ...config,
      hidden_size: hidden,
      intermediate_size: intermediate,
      head_dim: 16,
    }),
  );
  return folder;
}
