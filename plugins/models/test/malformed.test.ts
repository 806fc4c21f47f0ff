// Broken model folders: each one is refused with one clear error, its code, and the name of what is
// wrong.
import { mkdir, readFile, rename, rm, truncate, writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  readSafetensors,
  toFloat16,
  writeSafetensors,
  type TensorToWrite,
} from '@lmflow/sdk/formats';
import { editConfig, loadFolder, modelFolder, removeFolders, tinyTokenizer } from './folders.ts';
import { rejects } from './rejects.ts';

const test = suite('malformed models');
test.after(removeFolders);

type Break = (folder: string) => Promise<void>;
interface Case {
  readonly what: string;
  readonly from?: string;
  readonly break: Break;
  readonly code: string;
  readonly message: RegExp;
  readonly hint?: RegExp;
}

const config =
  (changes: Readonly<Record<string, unknown>>): Break =>
  (folder) =>
    editConfig(folder, changes);
const write =
  (file: string, content: string | Uint8Array): Break =>
  async (folder) => {
    await mkdir(join(folder, file, '..'), { recursive: true });
    await writeFile(join(folder, file), content);
  };
const remove =
  (...files: string[]): Break =>
  async (folder) => {
    for (const file of files) await rm(join(folder, file));
  };
const both =
  (...steps: Break[]): Break =>
  async (folder) => {
    for (const step of steps) await step(folder);
  };

type Tensors = Map<string, TensorToWrite>;
const tensors =
  (change: (tensors: Tensors) => void): Break =>
  async (folder) => {
    const path = join(folder, 'model.safetensors');
    const changed: Tensors = new Map(await readSafetensors(path));
    change(changed);
    await writeSafetensors(path, changed);
  };
const tokenizerConfig = (value: Record<string, unknown>): Break =>
  write('tokenizer_config.json', JSON.stringify(value));
const Q = 'model.layers.0.self_attn.q_proj.weight';

/** An object that JSON.stringify cannot write again. */
const DEEP = `{"x": ${'{"a": '.repeat(100_000)}1${'}'.repeat(100_000)}}`;

const cases: readonly Case[] = [
  ...['config.json', 'generation_config.json', 'tokenizer_config.json'].map((file) => ({
    what: `a ${file} nested without end`,
    break: write(file, DEEP),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: new RegExp(`${file}.*is nested deeper than 1000 levels`),
  })),
  {
    what: 'no config.json',
    break: remove('config.json'),
    code: 'LMFLOW_MODEL_NOT_FOUND',
    message: /has no config\.json \(it has .*model\.safetensors/,
  },
  {
    what: 'an adapter instead of a model',
    break: both(
      remove('config.json'),
      write('adapter_config.json', '{"base_model_name_or_path": "some/base"}'),
    ),
    code: 'LMFLOW_MODEL_NOT_FOUND',
    message: /has no config\.json/,
    hint: /base of this adapter as the model \(some\/base\).*--lora-adapter/,
  },
  {
    what: 'config.json that is no JSON',
    break: write('config.json', '{"model_type": "llama",'),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: /config\.json is not JSON/,
  },
  {
    what: 'config.json that is a list',
    break: write('config.json', '[]'),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: /config\.json must be a JSON object/,
  },
  {
    what: 'config.json that is a folder',
    break: both(remove('config.json'), write('config.json/x', '')),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: /config\.json cannot be read/,
  },
  {
    what: 'generation_config.json that is no JSON',
    break: write('generation_config.json', 'x'),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: /generation_config\.json is not JSON/,
  },
  {
    what: 'no model_type',
    break: config({ model_type: undefined }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /it has no model_type; known are llama, /,
  },
  {
    what: 'an unknown family',
    break: config({ model_type: 'mamba' }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /model_type "mamba" is not supported; known are llama, mistral, qwen2, qwen3, gpt2/,
    hint: /MODEL_FAMILIES/,
  },
  {
    what: 'a family misspelt',
    break: config({ model_type: 'llamma' }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /did you mean "llama"\?/,
  },
  {
    what: 'a classifier',
    break: config({ architectures: ['LlamaForSequenceClassification'] }),
    code: 'LMFLOW_MODEL_CLASSIFIER',
    message: /a LlamaForSequenceClassification gives numbers for texts and writes none/,
  },
  {
    what: 'a classifier of tokens',
    break: config({ architectures: ['LlamaForTokenClassification'] }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message:
      /"architectures": \["LlamaForTokenClassification"\] is not supported: only language models/,
  },
  {
    what: "a missing size, which is transformers' default",
    break: config({ hidden_size: undefined }),
    code: 'LMFLOW_TENSOR_SHAPE',
    message: /\[96, 32\].*\[96, 4096\]/,
  },
  {
    what: 'a size that is text',
    break: config({ num_hidden_layers: '2' }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"num_hidden_layers" is "2"/,
  },
  {
    what: 'a negative size',
    break: config({ vocab_size: -1 }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"vocab_size" is -1/,
  },
  {
    what: 'heads that do not divide',
    break: config({ num_attention_heads: 5, head_dim: undefined }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"num_attention_heads" is 5; it must be a divisor of hidden_size \(32\)/,
  },
  {
    what: 'key heads that do not divide',
    break: config({ num_key_value_heads: 3 }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"num_key_value_heads" is 3/,
  },
  {
    what: 'an unknown activation',
    break: config({ hidden_act: 'gelu_neww' }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"hidden_act": "gelu_neww".*did you mean "gelu_new"\?/,
  },
  {
    what: 'a model quantized in another way',
    break: config({ quantization_config: { quant_method: 'gptq' } }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message:
      /quantization_config: "quant_method": "gptq" is not supported: only.*pack-quantized of compressed-tensors are read/,
  },
  {
    what: 'an unknown kind of rope scaling',
    break: config({ rope_scaling: { type: 'yarnn', factor: 2 } }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message:
      /rope_scaling: "rope_type": "yarnn" is not supported.*default, linear, dynamic, yarn, llama3, longrope; did you mean "yarn"\?/,
  },
  {
    what: 'rope scaling without its factor',
    break: config({ rope_scaling: { rope_type: 'linear' } }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /rope_scaling: "factor" is missing; it must be a positive number/,
  },
  {
    what: 'rope scaling with factors for another head',
    break: config({ rope_scaling: { rope_type: 'longrope', short_factor: [1], long_factor: [1] } }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"short_factor" is \[1\]; it must be a list of 4 positive numbers/,
  },
  {
    what: 'rotation of a part of a head',
    break: config({ partial_rotary_factor: 0.5 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"partial_rotary_factor": 0\.5/,
  },
  {
    what: 'a sliding window in a family without',
    break: config({ sliding_window: 128 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"sliding_window": 128 is not supported: this family has no sliding window/,
  },
  {
    what: 'logit capping',
    break: config({ final_logit_softcapping: 30 }),
    code: 'LMFLOW_MODEL_UNSUPPORTED',
    message: /"final_logit_softcapping": 30/,
  },
  {
    what: 'sliding layers without a window',
    from: 'qwen2',
    break: config({ layer_types: ['full_attention', 'sliding_attention'] }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"use_sliding_window" is false; it must be true/,
  },
  {
    what: 'an unknown kind of layer',
    from: 'qwen3',
    break: config({ layer_types: ['full_attention', 'linear_attention'] }),
    code: 'LMFLOW_MODEL_CONFIG',
    message: /"layer_types" is \["full_attention","linear_attention"\]/,
  },
  {
    what: 'no weights',
    break: remove('model.safetensors'),
    code: 'LMFLOW_CHECKPOINT_MISSING',
    message: /has neither model\.safetensors nor model\.safetensors\.index\.json/,
  },
  {
    what: 'only pickled weights',
    break: both(remove('model.safetensors'), write('pytorch_model.bin', 'x')),
    code: 'LMFLOW_CHECKPOINT_PICKLE',
    message: /only in pickle files, which can run any code: pytorch_model\.bin/,
    hint: /save_pretrained/,
  },
  {
    what: 'truncated weights',
    break: (folder) => truncate(join(folder, 'model.safetensors'), 9000),
    code: 'LMFLOW_SAFETENSORS_TRUNCATED',
    message: /model\.safetensors is cut short/,
    hint: /Get the file again/,
  },
  {
    what: 'a Git LFS pointer',
    break: write('model.safetensors', 'version https://git-lfs.github.com/spec/v1\noid sha256:1\n'),
    code: 'LMFLOW_SAFETENSORS_INVALID',
    message: /header claims a length of/,
    hint: /git lfs pull/,
  },
  {
    what: 'overlapping tensors',
    break: async (folder) => {
      const path = join(folder, 'model.safetensors');
      const bytes = await readFile(path);
      const length = Number(bytes.readBigUInt64LE());
      const header = JSON.parse(bytes.subarray(8, 8 + length).toString()) as Record<
        string,
        { data_offsets: number[] }
      >;
      header['model.embed_tokens.weight']!.data_offsets = header['lm_head.weight']!.data_offsets;
      const json = Buffer.from(JSON.stringify(header).padEnd(length));
      await writeFile(
        path,
        Buffer.concat([bytes.subarray(0, 8), json, bytes.subarray(8 + length)]),
      );
    },
    code: 'LMFLOW_SAFETENSORS_INVALID',
    message: /"lm_head\.weight" and "model\.embed_tokens\.weight" overlap/,
  },
  {
    what: 'a missing shard',
    from: 'llama-sharded',
    break: remove('model-00002-of-00002.safetensors'),
    code: 'LMFLOW_SAFETENSORS_SHARD_MISSING',
    message: /the shard .*model-00002-of-00002\.safetensors is missing/,
  },
  {
    what: 'a broken index',
    from: 'llama-sharded',
    break: write('model.safetensors.index.json', '{}'),
    code: 'LMFLOW_SAFETENSORS_INDEX',
    message: /has no "weight_map"/,
  },
  {
    what: 'a missing tensor',
    break: tensors((all) => {
      all.delete(Q);
    }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /lacks the tensor "model\.layers\.0\.self_attn\.q_proj\.weight" \[32, 32\]/,
  },
  {
    what: 'a missing layer',
    break: config({ num_hidden_layers: 3 }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /lacks 9 tensors: .*"model\.layers\.2\.input_layernorm\.weight" \[32\].* and 4 more/,
  },
  {
    what: 'a missing head',
    break: tensors((all) => {
      all.delete('lm_head.weight');
    }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /"lm_head\.weight" \[96, 32\]/,
    hint: /tie_word_embeddings/,
  },
  {
    what: 'tensors of other names',
    break: tensors((all) => {
      all.set('model.layers.0.self_attn.query.weight', all.get(Q)!);
      all.delete(Q);
    }),
    code: 'LMFLOW_TENSOR_MISSING',
    message: /q_proj/,
    hint: /other tensors instead: "model\.layers\.0\.self_attn\.query\.weight"/,
  },
  {
    what: 'an unexpected tensor',
    break: tensors((all) => {
      all.set('model.layers.0.self_attn.q_proj.bias', { shape: [32], data: new Float32Array(32) });
    }),
    code: 'LMFLOW_TENSOR_UNEXPECTED',
    message:
      /has a tensor that a llama of its config\.json does not have: "model\.layers\.0\.self_attn\.q_proj\.bias" \[32\]/,
    hint: /attention_bias/,
  },
  {
    what: 'a layer too many',
    break: config({ num_hidden_layers: 1 }),
    code: 'LMFLOW_TENSOR_UNEXPECTED',
    message: /9 tensors.*model\.layers\.1/,
  },
  {
    what: 'a tensor of the wrong shape',
    break: tensors((all) => {
      all.set(Q, { shape: [16, 32], data: new Float32Array(512) });
    }),
    code: 'LMFLOW_TENSOR_SHAPE',
    message:
      /"model\.layers\.0\.self_attn\.q_proj\.weight" is \[16, 32\], but by config\.json \[32, 32\]/,
  },
  {
    what: 'a smaller vocabulary than the embedding',
    break: config({ vocab_size: 95 }),
    code: 'LMFLOW_TENSOR_SHAPE',
    message: /"model\.embed_tokens\.weight" is \[96, 32\], but by config\.json \[95, 32\]/,
  },
  {
    what: 'weights of 8 bits',
    break: tensors((all) => {
      all.set(Q, { shape: [32, 32], dtype: 'I8', data: new Int8Array(1024) });
    }),
    code: 'LMFLOW_TENSOR_DTYPE',
    message: /"model\.layers\.0\.self_attn\.q_proj\.weight" is stored as I8/,
  },
  {
    what: 'a tensor in two shards',
    from: 'llama-sharded',
    break: async (folder) => {
      const path = join(folder, 'model-00002-of-00002.safetensors');
      const first = await readSafetensors(join(folder, 'model-00001-of-00002.safetensors'));
      await writeSafetensors(path, [...(await readSafetensors(path)), [...first][0]!]);
    },
    code: 'LMFLOW_TENSOR_UNEXPECTED',
    message: /is in both .*00001-of-00002\.safetensors and .*00002-of-00002\.safetensors/,
  },
  {
    what: 'no tokenizer',
    break: remove('tokenizer.json'),
    code: 'LMFLOW_TOKENIZER_MISSING',
    message: /has no tokenizer\.json$/,
    hint: /AutoTokenizer/,
  },
  {
    what: 'only a sentencepiece tokenizer',
    break: both(remove('tokenizer.json'), write('tokenizer.model', 'x')),
    code: 'LMFLOW_TOKENIZER_MISSING',
    message: /it has tokenizer\.model, which are not read/,
  },
  {
    what: 'a tokenizer that is no tokenizer',
    break: write('tokenizer.json', '{"version": "1.0"}'),
    code: 'LMFLOW_TOKENIZER_INVALID',
    message: /the tokenizers library cannot read it/,
  },
  {
    what: 'a tokenizer larger than the embedding',
    break: write('tokenizer.json', JSON.stringify(tinyTokenizer(100))),
    code: 'LMFLOW_TOKENIZER_TOO_LARGE',
    message:
      /tokenizer\.json has token ids up to 99, but .*config\.json has vocab_size 96: 4 tokens have no embedding/,
  },
  {
    what: 'tokenizer_config.json that is no JSON',
    break: write('tokenizer_config.json', '{'),
    code: 'LMFLOW_MODEL_FILE_INVALID',
    message: /tokenizer_config\.json is not JSON/,
  },
  {
    what: 'an end token that the tokenizer does not have',
    break: tokenizerConfig({ eos_token: '<|end|>' }),
    code: 'LMFLOW_TOKENIZER_INVALID',
    message: /its eos_token "<\|end\|>" is not in tokenizer\.json/,
  },
  {
    what: 'an added token with another id',
    break: tokenizerConfig({ added_tokens_decoder: { 50: { content: '<|end|>', special: true } } }),
    code: 'LMFLOW_TOKENIZER_INVALID',
    message: /gives "<\|end\|>" the id 50, with tokenizer\.json it gets 96/,
  },
  {
    what: 'chat templates without names',
    break: tokenizerConfig({ chat_template: [{ template: 'x' }] }),
    code: 'LMFLOW_TOKENIZER_INVALID',
    message: /"chat_template" needs a name and a template/,
  },
  {
    what: 'a chat template that is a number',
    break: tokenizerConfig({ chat_template: 3 }),
    code: 'LMFLOW_TOKENIZER_INVALID',
    message: /"chat_template" must be a template/,
  },
];

for (const { what, from = 'llama', break: damage, code, message, hint } of cases) {
  test(what, async () => {
    const folder = await modelFolder(from, damage);
    const error = await rejects(loadFolder(folder), code, message);
    assert.ok(error.message.includes(folder), `${error.message} does not say where`);
    if (hint) assert.match(error.hint ?? '', hint);
  });
}

test('model.safetensors wins over pickles and training state beside it', async () => {
  await loadFolder(
    await modelFolder(
      'llama',
      both(write('pytorch_model.bin', 'x'), write('training_args.bin', 'x')),
    ),
  );
});

test('a checkpoint may mix kinds of floating point', async () => {
  const model = await loadFolder(
    await modelFolder(
      'llama',
      tensors((all) => {
        const { shape, data } = all.get(Q)! as { shape: readonly number[]; data: Float32Array };
        all.set(Q, { shape, dtype: 'F64', data: Float64Array.from(data) });
        const norm = all.get('model.norm.weight')! as {
          shape: readonly number[];
          data: Float32Array;
        };
        all.set('model.norm.weight', {
          shape: norm.shape,
          dtype: 'F16',
          data: toFloat16(norm.data),
        });
      }),
    ),
  );
  assert.is(model.weights.get(Q)!.kind, 'memory');
  assert.is(model.weights.get('model.norm.weight')!.dtype, 'float16');
  assert.is((await model.read(Q)).length, 1024);
  await rejects(
    model.read('model.layers.0.self_attn.q_proj'),
    'LMFLOW_WEIGHT_UNKNOWN',
    /did you mean "model\.layers\.0\.self_attn\.q_proj\.weight"/,
  );
});

test('config.json may begin with a byte order mark', async () => {
  await loadFolder(
    await modelFolder('llama', async (folder) => {
      await rename(join(folder, 'config.json'), join(folder, 'old.json'));
      await writeFile(
        join(folder, 'config.json'),
        `\uFEFF${await readFile(join(folder, 'old.json'), 'utf8')}`,
      );
    }),
  );
});

test.run();
