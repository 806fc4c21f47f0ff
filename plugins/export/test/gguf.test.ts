// GGUF files read back: keys, tensors under llama.cpp's names and layout, types, tokenizers; and
// what is refused by name.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { dirname, join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { readSafetensors, type TensorFile } from '@lmflow/sdk/formats';
import { typeFor } from '../src/gguf/quantization.ts';
import { preTokenizerName } from '../src/gguf/pretokenizers.ts';
import { FIXTURES, failure, modelFolder, scratch, tokenizerJson, withKernel } from './folders.ts';
import { text, writeGguf, type List, type Scalar } from '../src/gguf/file.ts';
import { llamaName, readGguf, type ReadGguf } from './reader.ts';
import { wideLlama } from './wide.ts';

interface Exported {
  readonly file: ReadGguf;
  readonly warnings: readonly string[];
  readonly names: readonly string[];
}

async function exported(
  model: string,
  quantization: string,
  config: Record<string, unknown> = {},
): Promise<Exported> {
  const outputDir = scratch('gguf');
  return withKernel({ model, outputDir, ...config }, async (kernel, log) => {
    const { result } = await kernel.run('export', { options: { format: 'gguf', quantization } });
    return {
      file: readGguf(join(outputDir, result.files[0]!)),
      warnings: log.texts('warn'),
      names: readdirSync(outputDir),
    };
  });
}

/** Changes config.json of a folder. */
function configured(folder: string, changes: Record<string, unknown>): string {
  const file = join(folder, 'config.json');
  writeFileSync(
    file,
    JSON.stringify({ ...(JSON.parse(readFileSync(file, 'utf8')) as object), ...changes }),
  );
  return folder;
}

const code = async (model: string): Promise<string> => (await failure(exported(model, 'f32'))).code;

/**
 * A matrix with rows of every head taken from (i, j) = place 2i + j to j D/2 + i: GGUF's order back
 * to Hugging Face's.
 */
function halves(data: Float32Array, rows: number, headDim: number): Float32Array {
  const width = data.length / rows;
  const result = new Float32Array(data.length);
  for (let head = 0; head < rows / headDim; head++) {
    for (let i = 0; i < headDim / 2; i++) {
      for (const j of [0, 1]) {
        const [from, to] = [head * headDim + 2 * i + j, head * headDim + (j * headDim) / 2 + i];
        result.set(data.subarray(from * width, (from + 1) * width), to * width);
      }
    }
  }
  return result;
}

async function checkpoint(folder: string): Promise<TensorFile> {
  return readSafetensors(join(folder, 'model.safetensors'));
}

test('a vocabulary larger than the first buffer', async () => {
  const path = join(scratch('gguf'), 'large.gguf');
  const values = Array.from({ length: 60_000 }, (_, index) => `token ${index}`);
  await writeGguf(
    path,
    new Map<string, Scalar | List>([
      ['general.architecture', text('llama')],
      ['tokenizer.ggml.tokens', { list: 'string', values }],
      ['after', text('x'.repeat(1 << 17))],
    ]),
    [],
  );
  const { metadata } = readGguf(path);
  assert.equal(metadata.get('tokenizer.ggml.tokens'), values);
  assert.is(metadata.get('after'), 'x'.repeat(1 << 17));
});

const families = {
  llama: 'llama',
  'llama-tied': 'llama',
  'llama-linear': 'llama',
  'llama-yarn': 'llama',
  'llama-llama3': 'llama',
  mistral: 'llama',
  qwen2: 'qwen2',
  qwen3: 'qwen3',
};
for (const [family, architecture] of Object.entries(families)) {
  test(`${family}: every tensor, in place`, async () => {
    const folder = modelFolder(family);
    const { file, names } = await exported(folder, 'f32');
    assert.is(names.length, 1);
    assert.match(names[0]!, /-F32\.gguf$/);
    assert.is(file.metadata.get('general.architecture'), architecture);
    const tensors = await checkpoint(folder);
    for (const [name, { shape, data }] of tensors) {
      const found = file.tensors.get(llamaName(name))!;
      assert.ok(found, name);
      assert.equal(found.shape, shape, name);
      const permuted = architecture === 'llama' && /[qk]_proj/.test(name);
      assert.equal(permuted ? halves(found.data, shape[0]!, 8) : found.data, data, name);
    }
    const factors = family === 'llama-llama3' ? 1 : 0;
    assert.is(file.tensors.size, tensors.size + factors);
    assert.is(file.tensors.has('rope_freqs.weight'), factors === 1);
  });
}

test('gpt2: weights are turned to [out, in]', async () => {
  const folder = modelFolder('gpt2');
  const { file } = await exported(folder, 'f32');
  const tensors = await checkpoint(folder);
  const [name, { data, shape }] = [...tensors].find(([key]) =>
    key.endsWith('h.1.attn.c_attn.weight'),
  )!;
  const found = file.tensors.get('blk.1.attn_qkv.weight')!;
  assert.equal(found.shape, [shape[1], shape[0]], name);
  assert.is(found.data[3 * shape[0]! + 5], data[5 * shape[1]! + 3]);
  assert.equal(
    file.tensors.get('position_embd.weight')!.data,
    [...tensors].find(([key]) => key.endsWith('wpe.weight'))![1].data,
  );
  assert.is(file.tensors.size, tensors.size);
  assert.ok(
    Math.abs((file.metadata.get('gpt2.attention.layer_norm_epsilon') as number) - 1e-5) < 1e-10,
  );
});

test('keys: figures, rope scaling, tokenizer, template', async () => {
  const { metadata } = (await exported(modelFolder('llama-yarn'), 'q8_0')).file;
  const get = (key: string): unknown => metadata.get(key);
  assert.equal(
    [
      'block_count',
      'embedding_length',
      'feed_forward_length',
      'attention.head_count',
      'attention.head_count_kv',
      'rope.dimension_count',
      'vocab_size',
    ].map((key) => get(`llama.${key}`)),
    [2, 32, 56, 4, 2, 8, 96],
  );
  assert.is(get('llama.rope.scaling.type'), 'yarn');
  assert.ok((get('llama.rope.scaling.factor') as number) > 1);
  assert.ok(get('llama.rope.scaling.original_context_length'));
  assert.is(get('general.file_type'), 7);
  assert.is(get('tokenizer.ggml.model'), 'gpt2');
  assert.is(get('tokenizer.ggml.pre'), 'gpt-2');
  assert.equal(get('tokenizer.ggml.merges'), ['t h', 'th e', '\u0120 the']);
  const tokens = get('tokenizer.ggml.tokens') as string[];
  const kinds = get('tokenizer.ggml.token_type') as number[];
  assert.equal([tokens[0], tokens[2], tokens.at(-1)], ['<s>', '\u0120', '[PAD95]']);
  assert.equal([kinds[0], kinds[2], kinds.at(-1)], [3, 1, 5]);
  assert.is(tokens.length, 96);
  assert.is(get('tokenizer.ggml.bos_token_id'), 0);
  assert.is(get('tokenizer.chat_template'), '{{ messages[0].content }}');
});

test('a sliding window limits the context, and that is said', async () => {
  const { file, warnings } = await exported(modelFolder('mistral'), 'f16');
  assert.is(file.metadata.get('llama.context_length'), 8);
  assert.match(warnings.join(), 'sliding window');
});

test('quantized tensors are near, and those that cannot be keep more bits', async () => {
  const folder = modelFolder('qwen2');
  const tensors = await checkpoint(folder);
  for (const [quantization, type, share] of [
    ['q8_0', 'Q8_0', 0.01],
    ['q4_0', 'Q4_0', 0.12],
  ] as const) {
    const { file, warnings } = await exported(folder, quantization);
    assert.match(warnings.join(), 'keep more bits');
    for (const [name, { data }] of tensors) {
      const found = file.tensors.get(llamaName(name))!;
      const expected =
        found.shape.length === 1
          ? 'F32'
          : name.includes('down_proj')
            ? 'F16'
            : name.includes('embed')
              ? 'Q8_0'
              : type;
      assert.is(found.type, expected, name);
      const rms = (numbers: Float32Array): number =>
        Math.sqrt(numbers.reduce((sum, number) => sum + number * number, 0) / numbers.length);
      const error = rms(found.data.map((number, index) => number - data[index]!));
      assert.ok(error <= share * rms(data), `${name}: ${error} of ${rms(data)}`);
    }
  }
});

test('q4_k_m: the types of a model with rows of 256', async () => {
  const folder = await wideLlama();
  const { file, warnings } = await exported(folder, 'q4_k_m');
  assert.equal(warnings, []);
  const type = (name: string): string => file.tensors.get(name)!.type;
  assert.equal(
    [
      'token_embd.weight',
      'output.weight',
      'blk.0.attn_q.weight',
      'blk.0.attn_v.weight',
      'blk.1.attn_v.weight',
      'blk.2.ffn_down.weight',
      'blk.1.ffn_norm.weight',
    ].map(type),
    ['Q4_K', 'Q6_K', 'Q4_K', 'Q4_K', 'Q4_K', 'Q6_K', 'F32'],
  );
  const found = file.tensors.get('blk.1.ffn_up.weight')!.data;
  const expected = (await checkpoint(folder)).get('model.layers.1.mlp.up_proj.weight')!.data;
  const squares = (numbers: Float32Array): number =>
    numbers.reduce((sum, number) => sum + number * number, 0);
  const share = Math.sqrt(
    squares(found.map((number, index) => number - expected[index]!)) / squares(expected),
  );
  assert.ok(share < 0.075 && share > 0.02, String(share));
  assert.is(typeFor('q4_k_m', 'head', 512, undefined, 4).type, 'Q6_K');
  assert.is(typeFor('q4_k_m', 'matrix', 320, 0, 4).type, 'Q8_0');
  assert.is(typeFor('q4_0', 'matrix', 40, 0, 4).type, 'F16');
});

for (const kind of ['llama/plain', 'llama-tied/saved-embedding']) {
  test(`an adapter is merged on the way: ${kind}`, async () => {
    const model = modelFolder(dirname(kind));
    const adapter = join(FIXTURES, 'adapters', kind);
    const outputDir = join(scratch('merged'), 'out');
    await withKernel({ model, outputDir, lora: { adapter } }, async (kernel) => {
      await kernel.run('merge');
    });
    const [straight, merged] = [
      await exported(model, 'f32', { lora: { adapter } }),
      await exported(outputDir, 'f32'),
    ];
    for (const [name, { data }] of merged.file.tensors) {
      assert.equal(straight.file.tensors.get(name)!.data, data, name);
    }
  });
}

test('what llama.cpp computes otherwise, or has no name for, is refused before anything is written', async () => {
  assert.is(await code(modelFolder('llama-dynamic')), 'LMFLOW_GGUF_UNSUPPORTED');
  assert.is(
    await code(configured(modelFolder('llama'), { hidden_act: 'relu' })),
    'LMFLOW_GGUF_UNSUPPORTED',
  );
  assert.is(
    await code(configured(modelFolder('gpt2'), { scale_attn_weights: false })),
    'LMFLOW_GGUF_UNSUPPORTED',
  );
  const vocab = {
    ...Object.fromEntries(Array.from({ length: 94 }, (_, id) => [`t${id + 2}`, id + 2])),
    '<s>': 0,
    '</s>': 1,
  };
  const wordLevel = tokenizerJson({ model: { type: 'WordLevel', vocab, unk_token: 't2' } });
  assert.is(await code(modelFolder('llama', wordLevel)), 'LMFLOW_GGUF_TOKENIZER');
  const { code: pre, message } = await failure(
    exported(modelFolder('llama', tokenizerJson({ pre_tokenizer: { type: 'Whitespace' } })), 'f32'),
  );
  assert.is(pre, 'LMFLOW_GGUF_PRE_TOKENIZER');
  assert.match(message, 'Whitespace');
  const outputDir = scratch('refused');
  await withKernel({ model: modelFolder('llama-dynamic'), outputDir }, async (kernel) => {
    await failure(kernel.run('export', { options: { format: 'gguf' } }));
  });
  assert.equal(readdirSync(outputDir), []);
});

test('pre-tokenizers are told apart by their steps', () => {
  const bytes = { type: 'ByteLevel', add_prefix_space: false, use_regex: false };
  const splitBy = (digits: string): object => ({
    type: 'Split',
    behavior: 'Isolated',
    invert: false,
    pattern: {
      Regex: String.raw`(?i:'s|'t|'re|'ve|'m|'ll|'d)|[^\r\n\p{L}\p{N}]?\p{L}+|${digits}| ?[^\s\p{L}\p{N}]+[\r\n]*|\s*[\r\n]+|\s+(?!\S)|\s+`,
    },
  });
  const name = (pretokenizers: unknown[], model: object = {}, normalizer: unknown = null): string =>
    preTokenizerName('x', {
      normalizer,
      model,
      pre_tokenizer: { type: 'Sequence', pretokenizers },
    });
  assert.is(name([splitBy(String.raw`\p{N}{1,3}`), bytes], { ignore_merges: true }), 'llama-bpe');
  assert.is(name([splitBy(String.raw`\p{N}{1,3}`), bytes]), 'smaug-bpe');
  assert.is(name([splitBy(String.raw`\p{N}`), bytes], {}, { type: 'NFC' }), 'qwen2');
  assert.is(
    name([
      { type: 'Digits', individual_digits: true },
      { ...bytes, use_regex: true },
    ]),
    'smollm',
  );
  assert.is(name([{ ...bytes, use_regex: true }]), 'gpt-2');
  for (const other of [
    [splitBy(String.raw`\p{N}{1,2}`), bytes],
    [{ ...bytes, add_prefix_space: true }],
    [bytes],
  ]) {
    assert.throws(() => name(other), /has no known name in GGUF/);
  }
  assert.throws(
    () => name([{ ...bytes, use_regex: true }], {}, { type: 'Lowercase' }),
    /Lowercase/,
  );
});

test('a tokenizer made of SentencePiece: scores in the order of the merges', async () => {
  const model = join(FIXTURES, '../../../shared/models/stories260k');
  if (!existsSync(model)) {
    process.stdout.write('skipped: no ../shared\n');
    return;
  }
  const {
    file: { metadata },
    warnings,
  } = await exported(model, 'f32');
  assert.equal(warnings, []);
  assert.is(metadata.get('tokenizer.ggml.model'), 'llama');
  assert.is(metadata.get('tokenizer.ggml.add_space_prefix'), true);
  assert.is(metadata.get('tokenizer.ggml.add_bos_token'), true);
  const [tokens, scores, kinds] = ['tokens', 'scores', 'token_type'].map((key) =>
    metadata.get(`tokenizer.ggml.${key}`),
  ) as [string[], number[], number[]];
  assert.equal([kinds[0], kinds[1], kinds[3], kinds[300]], [2, 3, 6, 1]);
  assert.is(tokens[13], '<0x0A>');
  const { merges } = (
    JSON.parse(readFileSync(join(model, 'tokenizer.json'), 'utf8')) as {
      model: { merges: (string | string[])[] };
    }
  ).model;
  const products = merges.map((merge) =>
    typeof merge === 'string' ? merge.replace(' ', '') : merge.join(''),
  );
  const order = products.map((product) => scores[tokens.indexOf(product)]!);
  assert.ok(order.every((score, index) => index === 0 || score <= order[index - 1]!));
});

test.run();
