// A GGUF file that is read back, with faults put into it and into the encoders.
import { readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import * as gguf from '../src/gguf/file.ts';
import type { GgufTensor, List, Metadata, Scalar } from '../src/gguf/file.ts';
import { TENSOR_TYPES, type TensorTypeName } from '../src/gguf/types.ts';
import { checkGguf, Samples } from '../src/gguf/written.ts';
import { failure, modelFolder, scratch, withKernel } from './folders.ts';
import { wideLlama } from './wide.ts';

/** Normal-looking numbers; `scale` makes them small. */
const numbersOf = (count: number, scale = 1): Float32Array =>
  Float32Array.from({ length: count }, (_, i) => scale * (Math.sin(i * 1.7) + Math.sin(i * 0.37)));

const metadata: Metadata = new Map<string, Scalar | List>([
  ['general.architecture', gguf.text('llama')],
  ['count', gguf.uint32(7)],
  ['epsilon', gguf.float32(1e-5)],
  ['words', { list: 'string', values: ['a', '\u00e9', '\ufeffb'] }],
  ['scores', { list: 'float32', values: [0.1, -2] }],
]);

/** A matrix of each type, then zeros. */
async function written(scale = 1): Promise<{
  readonly path: string;
  readonly tensors: readonly GgufTensor[];
  readonly samples: Samples;
}> {
  const path = join(scratch('gguf'), 'model.gguf');
  const samples = new Samples();
  const tensors = Object.values(TENSOR_TYPES).flatMap((type) =>
    [scale, 0].map((size): GgufTensor => ({
      name: `${type.name}.${size === 0 ? 'zeros' : 'weight'}`,
      shape: [2, 512],
      type,
      data: async () => {
        const numbers = numbersOf(1024, size);
        samples.take(`${type.name}.${size === 0 ? 'zeros' : 'weight'}`, type, numbers);
        return type.encode(numbers);
      },
    })),
  );
  await gguf.writeGguf(path, metadata, tensors);
  return { path, tensors, samples };
}

for (const scale of [1, 1e-4, 1e-8, 1e-12, 30_000]) {
  test(`what was written agrees: numbers about ${scale}`, async () => {
    const { path, tensors, samples } = await written(scale);
    checkGguf(path, metadata, tensors, samples);
  });
}

/** The error of a file whose bytes `change` changes. */
async function faulty(change: (bytes: Buffer) => Buffer): Promise<string> {
  const { path, tensors, samples } = await written();
  writeFileSync(path, change(readFileSync(path)));
  const { code, message } = await failure(
    Promise.resolve().then(() => checkGguf(path, metadata, tensors, samples)),
  );
  assert.is(code, 'LMFLOW_EXPORT_DIFFERS');
  assert.match(message, path);
  return message;
}

/** Writes `bytes` over what stands `after` bytes behind the text. */
const over =
  (found: string, after: number, bytes: readonly number[]) =>
  (file: Buffer): Buffer => {
    file.set(bytes, file.indexOf(found) + found.length + after);
    return file;
  };

for (const [name, says, change] of [
  ['another beginning', /does not begin with GGUF/, (file) => file.fill('x', 0, 1)],
  ['an old version', /its version is 2/, (file) => file.fill(2, 4, 5)],
  ['a key of another name', /the key count is absent/, over('coun', 0, [120])],
  ['a number of another value', /the key count has another value/, over('count', 4, [8])],
  ['a word of another value', /the key words has another value/, over('words', 24, [120])],
  ['a tensor of another name', /Q8_0\.weight is absent/, over('Q8_0.weigh', 0, [120])],
  ['another shape', /F16\.weight is \[2, 256\], not \[2, 512\]/, over('F16.weight', 4, [0, 1])],
  ['another type', /Q4_0\.weight has the type F16, not Q4_0/, over('Q4_0.weight', 20, [1])],
  ['another place', /Q4_0\.weight begins at byte/, over('Q4_0.weight', 24, [0, 0])],
  ['a place between', /Q4_0\.weight is not aligned/, over('Q4_0.weight', 24, [1])],
  ['a file cut short', /ends after the file/, (file) => file.subarray(0, -64)],
  ['a file cut in its header', /ends too early/, (file) => file.subarray(0, 100)],
  ['bytes at the end', /it has \d+ bytes, not/, (file) => Buffer.concat([file, file])],
] as [string, RegExp, (file: Buffer) => Buffer][]) {
  test(`a fault: ${name}`, async () => {
    assert.match(await faulty(change), says);
  });
}

/** Runs with an encoder that turns its numbers around. */
async function withFaultyEncoder(name: TensorTypeName, run: () => Promise<void>): Promise<void> {
  const type = TENSOR_TYPES[name] as { encode: (numbers: Float32Array) => Uint8Array };
  const { encode } = type;
  type.encode = (numbers) => encode(numbers.toReversed());
  try {
    await run();
  } finally {
    type.encode = encode;
  }
}

for (const name of Object.keys(TENSOR_TYPES) as TensorTypeName[]) {
  test(`a fault: the numbers of ${name}`, () =>
    withFaultyEncoder(name, async () => {
      const message = await faulty((file) => file);
      assert.match(message, new RegExp(`of ${name}\\.weight \\(${name}\\) is .*, not about`));
    }));
}

for (const [quantization, type] of [
  ['f16', 'F16'],
  ['q8_0', 'Q8_0'],
  ['q4_k_m', 'Q6_K'],
  ['f32', 'F32'],
] as const) {
  test(`an export with faulty ${type} (${quantization}) fails and leaves nothing`, async () => {
    const model = quantization === 'q4_k_m' ? await wideLlama() : modelFolder('llama');
    const outputDir = scratch('gguf');
    await withFaultyEncoder(type, () =>
      withKernel({ model, outputDir }, async (kernel) => {
        const run = kernel.run('export', { options: { format: 'gguf', quantization } });
        assert.is((await failure(run)).code, 'LMFLOW_EXPORT_DIFFERS');
      }),
    );
    assert.equal(readdirSync(outputDir), []);
  });
}

test.run();
