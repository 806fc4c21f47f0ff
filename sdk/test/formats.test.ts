// Safetensors read and written, and 16-bit floating point, against the format's own rules and files
// that transformers wrote.
import { mkdtemp, readFile, readdir, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  SafetensorsFile,
  fromBfloat16,
  fromFloat16,
  openShards,
  readSafetensors,
  readWeight,
  toBfloat16,
  toFloat16,
  writeCheckpoint,
  writeSafetensors,
} from '@lmflow/sdk/formats';

const test = suite('formats');
const families = fileURLToPath(new URL('../../test/fixtures/families/', import.meta.url));
let folder: string;

test.before(async () => {
  folder = await mkdtemp(join(tmpdir(), 'lmflow-formats-'));
});
test.after(async () => {
  await rm(folder, { recursive: true });
});

test('every float16 comes back through float32', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
  const numbers = fromFloat16(bits);
  assert.is(numbers[0x3c00], 1);
  assert.is(numbers[0x0001], 2 ** -24);
  assert.is(numbers[0xfbff], -65504);
  assert.is(numbers[0x7c00], Infinity);
  const back = toFloat16(numbers);
  for (let index = 0; index < 65536; index++) {
    if (!Number.isNaN(numbers[index])) assert.is(back[index], index);
  }
  assert.ok(Number.isNaN(fromFloat16(toFloat16(Float32Array.of(NaN)))[0]));
});

test('every bfloat16 comes back through float32', () => {
  const bits = Uint16Array.from({ length: 65536 }, (_, index) => index);
  const numbers = fromBfloat16(bits);
  assert.is(numbers[0x3f80], 1);
  const back = toBfloat16(numbers);
  for (let index = 0; index < 65536; index++) {
    if (!Number.isNaN(numbers[index])) assert.is(back[index], index);
  }
  assert.ok(Number.isNaN(fromBfloat16(toBfloat16(Float32Array.of(NaN)))[0]));
});

test('rounding to 16 bits is to nearest, ties to even', () => {
  // Halfway cases, just above them, subnormals and overflow.
  const numbers = Float32Array.of(
    1 + 2 ** -11,
    1 + 3 * 2 ** -11,
    1 + 2 ** -11 + 2 ** -20,
    65519,
    65520,
    2 ** -25,
    2 ** -25 + 2 ** -40,
    3 * 2 ** -25,
    -(2 ** -14) + 2 ** -26,
    1e-20,
  );
  assert.equal(
    [...fromFloat16(toFloat16(numbers))],
    [1, 1 + 2 ** -9, 1 + 2 ** -10, 65504, Infinity, 0, 2 ** -24, 2 ** -23, -(2 ** -14), 0],
  );
  assert.equal(
    [
      ...fromBfloat16(
        toBfloat16(Float32Array.of(1 + 2 ** -8, 1 + 3 * 2 ** -8, 1 + 2 ** -8 + 2 ** -20)),
      ),
    ],
    [1, 1 + 2 ** -6, 1 + 2 ** -7],
  );
});

test('a checkpoint is read, written again, and is byte for byte what the reference library wrote', async () => {
  for (const family of ['llama', 'gpt2', 'llama-bf16', 'llama-f16']) {
    const source = join(families, family, 'model.safetensors');
    const file = await SafetensorsFile.open(source);
    const dtype = [...file.tensors.values()][0]!.dtype as 'F32' | 'BF16' | 'F16';
    const back = { F32: (data: Float32Array) => data, BF16: toBfloat16, F16: toFloat16 }[dtype];
    const tensors = [...(await file.readAll())]
      .reverse()
      .map(
        ([name, { shape, data }]) =>
          [name, { shape, dtype, data: async () => back(data) }] as const,
      );
    await writeSafetensors(join(folder, 'copy.safetensors'), tensors, file.metadata);
    assert.ok(
      (await readFile(source)).equals(await readFile(join(folder, 'copy.safetensors'))),
      family,
    );
  }
  assert.equal(await readdir(folder), ['copy.safetensors']);
});

test('bfloat16 and float16 files read as the rounded float32 numbers', async () => {
  const exact = await readSafetensors(join(families, 'llama/model.safetensors'));
  for (const [family, round] of [
    ['llama-bf16', (x: Float32Array) => fromBfloat16(toBfloat16(x))],
    ['llama-f16', (x: Float32Array) => fromFloat16(toFloat16(x))],
  ] as const) {
    const rounded = await readSafetensors(join(families, family, 'model.safetensors'));
    for (const [name, { data }] of exact) assert.equal(rounded.get(name)!.data, round(data));
  }
});

test('a tensor is read alone, and a weight source by itself', async () => {
  const file = await SafetensorsFile.open(join(families, 'llama/model.safetensors'));
  const all = await file.readAll();
  const name = 'model.layers.1.mlp.down_proj.weight';
  assert.equal(await file.read(name), all.get(name)!.data);
  assert.equal(await readWeight(file.weightSource(name)!), all.get(name)!.data);
  assert.equal(
    await readWeight({
      kind: 'memory',
      dtype: 'bfloat16',
      shape: [1],
      data: Uint16Array.of(0x3f80),
    }),
    Float32Array.of(1),
  );
});

test('integers and doubles are written and read as float32; scalars and empty tensors too', async () => {
  const path = join(folder, 'numbers.safetensors');
  await writeSafetensors(path, [
    ['i64', { shape: [2], dtype: 'I64', data: BigInt64Array.of(-3n, 7n) }],
    ['f64', { shape: [], dtype: 'F64', data: Float64Array.of(0.1) }],
    ['u8', { shape: [1, 3], dtype: 'U8', data: Uint8Array.of(1, 2, 255) }],
    ['i32', { shape: [1], dtype: 'I32', data: Int32Array.of(-9) }],
    ['none', { shape: [0, 4], data: new Float32Array() }],
  ]);
  const tensors = await readSafetensors(path);
  assert.equal([...tensors.get('i64')!.data], [-3, 7]);
  assert.is(tensors.get('f64')!.data[0], Math.fround(0.1));
  assert.equal([...tensors.get('u8')!.data, ...tensors.get('i32')!.data], [1, 2, 255, -9]);
  assert.equal(tensors.get('none')!.shape, [0, 4]);
  assert.is((await SafetensorsFile.open(path)).weightSource('f64'), undefined);
});

test('a checkpoint too large for one file is split, with an index, and one that shrank loses it', async () => {
  const target = await mkdtemp(join(folder, 'shards-'));
  const tensors = ['a', 'b', 'c'].map(
    (name, index) => [name, { shape: [2, 2], data: Float32Array.of(index, 1, 2, 3) }] as const,
  );
  assert.equal(await writeCheckpoint(target, tensors, 32), [
    'model-00001-of-00002.safetensors',
    'model-00002-of-00002.safetensors',
    'model.safetensors.index.json',
  ]);
  const shards = await openShards(target);
  assert.equal(
    shards.flatMap((shard) => [...shard.tensors.keys()]),
    ['a', 'b', 'c'],
  );
  const index = JSON.parse(
    await readFile(join(target, 'model.safetensors.index.json'), 'utf8'),
  ) as { metadata: unknown };
  assert.equal(index.metadata, { total_parameters: 12, total_size: 48 });
  assert.equal(await writeCheckpoint(target, tensors), ['model.safetensors']);
  assert.not((await readdir(target)).includes('model.safetensors.index.json'));
  await writeCheckpoint(target, tensors, 32);
  assert.not(
    (await readdir(target)).includes('model.safetensors'),
    'readers would take the old file',
  );
});

test('a write that fails leaves nothing behind and keeps what was there', async () => {
  const path = join(folder, 'kept.safetensors');
  await writeSafetensors(path, [['x', { shape: [1], data: Float32Array.of(1) }]]);
  const before = await readFile(path);
  await rejects(
    writeSafetensors(path, [['x', { shape: [2], data: Float32Array.of(1) }]]),
    'LMFLOW_SAFETENSORS_DATA',
    /"x" needs 2 numbers.*got 1/,
  );
  await rejects(
    writeSafetensors(path, [
      [
        'x',
        {
          shape: [1],
          data: async () => {
            throw new Error('disk gone');
          },
        },
      ],
    ]),
    undefined,
    /disk gone/,
  );
  assert.ok((await readFile(path)).equals(before));
  assert.not((await readdir(folder)).some((name) => name.startsWith('.writing-')));
});

function safetensors(header: unknown, dataBytes: number, length?: number): Buffer {
  const json = Buffer.from(typeof header === 'string' ? header : JSON.stringify(header));
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(length ?? json.length));
  return Buffer.concat([prefix, json, Buffer.alloc(dataBytes)]);
}

const f32 = (shape: unknown, from: number, to: number): unknown => ({
  dtype: 'F32',
  shape,
  data_offsets: [from, to],
});

const malformed: readonly (readonly [string, Buffer, string, RegExp])[] = [
  ['an empty file', Buffer.alloc(0), 'INVALID', /0 bytes/],
  [
    'a text file',
    Buffer.from('version https://git-lfs.github.com/spec/v1\noid'),
    'INVALID',
    /header claims a length of/,
  ],
  [
    'a header that is cut',
    safetensors({ x: f32([1], 0, 4) }, 0, 5000),
    'TRUNCATED',
    /promises 5008 bytes/,
  ],
  ['a header that is no JSON', safetensors('{"x": nonsense}', 4), 'INVALID', /not JSON/],
  ['a header that is a list', safetensors('[1]', 4), 'INVALID', /not a JSON object/],
  [
    'metadata of numbers',
    safetensors({ __metadata__: { format: 1 } }, 0),
    'INVALID',
    /__metadata__/,
  ],
  ['an entry that is no object', safetensors({ x: 3 }, 0), 'INVALID', /entry of "x"/],
  [
    'an unknown dtype',
    safetensors({ x: { dtype: 'F12', shape: [1], data_offsets: [0, 4] } }, 4),
    'INVALID',
    /"x" has the unknown element type "F12"/,
  ],
  [
    'a negative size',
    safetensors({ x: f32([-1], 0, 4) }, 4),
    'INVALID',
    /"x" has the shape \[-1\]/,
  ],
  [
    'offsets the wrong way round',
    safetensors({ x: f32([1], 4, 0) }, 4),
    'INVALID',
    /"x" has the data_offsets/,
  ],
  [
    'a size that does not fit the shape',
    safetensors({ x: f32([2], 0, 4) }, 4),
    'INVALID',
    /"x" \(F32 \[2\]\) needs 8 bytes.*span 4/,
  ],
  [
    'overlapping tensors',
    safetensors({ x: f32([2], 0, 8), y: f32([2], 4, 12) }, 12),
    'INVALID',
    /"x" and "y" overlap/,
  ],
  [
    'a gap',
    safetensors({ x: f32([1], 0, 4), y: f32([1], 8, 12) }, 12),
    'INVALID',
    /gap of 4 bytes/,
  ],
  ['data that is cut', safetensors({ x: f32([4], 0, 16) }, 12), 'TRUNCATED', /the file has/],
  ['data too long', safetensors({ x: f32([1], 0, 4) }, 8), 'INVALID', /4 bytes follow/],
];

for (const [what, bytes, code, message] of malformed) {
  test(`${what} is refused`, async () => {
    const path = join(folder, 'bad.safetensors');
    await writeFile(path, bytes);
    await rejects(SafetensorsFile.open(path), `LMFLOW_SAFETENSORS_${code}`, message);
    await rejects(SafetensorsFile.open(path), `LMFLOW_SAFETENSORS_${code}`, /bad\.safetensors/);
  });
}

test('an absent file, an absent tensor, numbers of 8 bits and a bad index are refused', async () => {
  await rejects(
    SafetensorsFile.open(join(folder, 'nowhere.safetensors')),
    'LMFLOW_SAFETENSORS_UNREADABLE',
    /nowhere/,
  );
  const path = join(folder, 'eight.safetensors');
  await writeFile(
    path,
    safetensors({ x: { dtype: 'F8_E4M3', shape: [4], data_offsets: [0, 4] } }, 4),
  );
  const file = await SafetensorsFile.open(path);
  await rejects(file.read('x'), 'LMFLOW_SAFETENSORS_DTYPE', /"x" has the element type F8_E4M3/);
  await rejects(file.read('y'), 'LMFLOW_SAFETENSORS_TENSOR_MISSING', /no tensor "y"/);
  const target = await mkdtemp(join(folder, 'index-'));
  const index = (text: string): Promise<void> =>
    writeFile(join(target, 'model.safetensors.index.json'), text);
  await index('{');
  await rejects(openShards(target), 'LMFLOW_SAFETENSORS_INDEX', /JSON/);
  await index('{"weight_map": {"x": "../elsewhere.safetensors"}}');
  await rejects(openShards(target), 'LMFLOW_SAFETENSORS_INDEX', /not the name of a file beside it/);
  await index('{"weight_map": {"x": "one.safetensors", "y": "one.safetensors"}}');
  await rejects(
    openShards(target),
    'LMFLOW_SAFETENSORS_SHARD_MISSING',
    /one\.safetensors is missing.*2 tensors/,
  );
  await writeSafetensors(join(target, 'one.safetensors'), [
    ['x', { shape: [1], data: Float32Array.of(1) }],
  ]);
  await rejects(
    openShards(target),
    'LMFLOW_SAFETENSORS_INDEX',
    /"y" is in one\.safetensors, which does not have it/,
  );
});

async function rejects(
  promise: Promise<unknown>,
  code: string | undefined,
  message: RegExp,
): Promise<void> {
  const error: unknown = await promise.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.instance(error, Error);
  if (code) assert.is((error as { code?: string }).code, code);
  assert.match((error as Error).message, message);
}

test.run();
