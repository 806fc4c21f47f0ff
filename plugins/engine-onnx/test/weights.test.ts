// Frozen weights: mapped from their file at any offset, through links, in 16 bits by a cached
// float32 file or converted at run time.
import { suite } from 'uvu';
import * as assert from 'uvu/assert';
import {
  mkdirSync,
  mkdtempSync,
  readdirSync,
  readFileSync,
  rmSync,
  statSync,
  symlinkSync,
  utimesSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, relative } from 'node:path';
import { isLMFlowError, type Logger } from '@lmflow/sdk';
import {
  cast,
  gather,
  linearCrossEntropy,
  matMul,
  ndarray,
  sizeOf,
  type DType,
  type FileWeight,
  type NdArray,
  type Shape,
  type WeightSource,
} from '@lmflow/sdk/graph';
import { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from '@lmflow/sdk/formats';
import { OnnxEngine } from '../src/engine.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { schema } from '../src/options.ts';
import { HalfWeights } from '../src/weights/half-weights.ts';
import { below, Case, check, engine, engineWith, normal, random, runOnce } from './support.ts';

const weights = suite('weights');
const folder = mkdtempSync(join(tmpdir(), 'lmflow weights é-'));
const cacheDir = join(folder, 'cache');
const next = random(3);

const encode: Readonly<Record<string, (data: Float32Array) => Uint16Array | Float32Array>> = {
  float32: (data) => data,
  bfloat16: toBfloat16,
  float16: toFloat16,
};
const numbers = new Map<string, NdArray>();
const keyOf = ({ path, offset }: FileWeight): string => `${path}@${offset}`;
const readWeight = (weight: WeightSource): NdArray => numbers.get(keyOf(weight as FileWeight))!;

/** A file with one tensor after `offset` bytes of something else. */
function written(name: string, offset: number, shape: Shape, dtype: DType = 'float32'): FileWeight {
  const path = join(folder, name);
  const data = Float32Array.from({ length: sizeOf(shape) }, () => normal(next));
  const stored = encode[dtype]!(data);
  const bytes = Buffer.alloc(offset + stored.byteLength + 3, 255);
  bytes.set(new Uint8Array(stored.buffer, stored.byteOffset, stored.byteLength), offset);
  writeFileSync(path, bytes);
  const weight: FileWeight = {
    kind: 'file',
    path,
    offset,
    byteLength: stored.byteLength,
    dtype,
    shape,
  };
  const seen =
    dtype === 'float32'
      ? data
      : dtype === 'bfloat16'
        ? fromBfloat16(stored as Uint16Array)
        : fromFloat16(stored as Uint16Array);
  numbers.set(keyOf(weight), ndarray(shape, seen));
  return weight;
}

function product(weight: FileWeight): Case {
  const test = new Case(weight.offset + 1);
  const x = test.input([3, weight.shape[1]!]);
  test.finish(
    [matMul(x, cast(test.graph.weight('w', weight), 'float32'), { transposeB: true })],
    [x],
  );
  return test;
}

weights('float32 in place, at odd offsets and beyond a page', async () => {
  for (const offset of [0, 1, 3, 8, 4095, 70001]) {
    await check(product(written(`plain-${offset}`, offset, [5, 7])), { readWeight });
  }
  await check(product(written('large', 12345, [300, 257])), { readWeight });
});

weights('by a relative path, and through links as the hub cache has them', async () => {
  const weight = written('blob', 9, [4, 6]);
  mkdirSync(join(folder, 'snapshots', 'main'), { recursive: true });
  const link = join(folder, 'snapshots', 'main', 'model.safetensors');
  symlinkSync(relative(join(folder, 'snapshots', 'main'), weight.path), link);
  for (const path of [link, relative(process.cwd(), weight.path)]) {
    const same = { ...weight, path };
    numbers.set(keyOf(same), readWeight(weight));
    await check(product(same), { readWeight });
  }
});

weights('a missing or short file is an error with its name', async () => {
  const whole = written('short', 0, [4, 4]);
  for (const weight of [
    { ...whole, path: join(folder, 'absent') },
    { ...whole, offset: 16 },
  ]) {
    try {
      await runOnce(product(weight).graph, product(weight).numbers);
      assert.unreachable('it compiled');
    } catch (error) {
      assert.ok(isLMFlowError(error), String(error));
      assert.is(error.code, 'LMFLOW_ENGINE_WEIGHT_UNREADABLE');
      assert.match(error.message, weight.path);
    }
  }
});

weights('every 16-bit number becomes the same float32 number', async () => {
  const all = Uint16Array.from({ length: 1 << 16 }, (_, bits) => bits);
  const view = new DataView(new ArrayBuffer(4));
  const reference = {
    bfloat16: (bits: number): number => {
      view.setUint32(0, bits * 65536);
      return view.getFloat32(0);
    },
    float16: (bits: number): number => {
      // IEEE 754 binary16
      const [sign, exponent, fraction] = [bits >> 15 ? -1 : 1, (bits >> 10) & 31, bits & 1023];
      if (exponent === 31) return fraction ? NaN : sign * Infinity;
      return exponent === 0
        ? sign * fraction * 2 ** -24
        : sign * (1 + fraction / 1024) * 2 ** (exponent - 15);
    },
  };
  for (const dtype of ['float16', 'bfloat16'] as const) {
    const path = join(folder, `all-${dtype}`);
    writeFileSync(path, all);
    const half = new HalfWeights({ halfWeights: 'cached', cacheDir });
    const file = half.widened({
      kind: 'file',
      path,
      offset: 0,
      byteLength: all.byteLength,
      dtype,
      shape: [1 << 16],
    })!;
    await half.convert();
    const bytes = readFileSync(file.path);
    const wide = new Float32Array(
      bytes.buffer.slice(bytes.byteOffset, bytes.byteOffset + bytes.length),
    );
    assert.is(wide.length, all.length);
    wide.forEach((number, bits) => {
      if (!Object.is(number, reference[dtype](bits))) {
        assert.unreachable(`${dtype} ${bits}: ${number}`);
      }
    });
  }
});

for (const halfWeights of ['cached', 'cast'] as const) {
  for (const dtype of ['bfloat16', 'float16'] as const) {
    weights(`${dtype} weights, ${halfWeights}`, async () => {
      const on = engineWith({ halfWeights, cacheDir });
      for (const offset of [0, 2, 101]) {
        await check(
          product(written(`${halfWeights}-${dtype}-${offset}`, offset, [33, 65], dtype)),
          { readWeight, on },
        );
      }
      const table = written(`table-${halfWeights}-${dtype}`, 6, [30, 8], dtype);
      const test = new Case(4);
      const value = test.graph.weight('embedding', table);
      const adapter = test.input([8, 8]);
      const hidden = matMul(
        cast(gather(value, test.input([9], 'int32', below(30))), 'float32'),
        adapter,
      );
      test.finish(
        [
          linearCrossEntropy(hidden, cast(value, 'float32'), test.input([9], 'int32', below(30)), {
            chunk: 4,
          }),
        ],
        [adapter],
      );
      await check(test, { readWeight, on });
      await on.dispose();
    });
  }
}

weights('a weight is converted once, in pieces, and again when its file changes', async () => {
  const shape = [1500, 1500]; // more than one piece
  const weight = written('big', 8, shape, 'bfloat16');
  const said: string[] = [];
  const log = {
    info: (text: string) => {
      said.push(text);
    },
  } as unknown as Logger;
  const convert = async (): Promise<FileWeight> => {
    const half = new HalfWeights({ halfWeights: 'cached', cacheDir }, log);
    const wide = half.widened(weight)!;
    await half.convert();
    return wide;
  };
  const wide = await convert();
  const bytes = readFileSync(wide.path);
  assert.equal(
    [...new Float32Array(bytes.buffer, bytes.byteOffset, bytes.length / 4)],
    [...readWeight(weight).data],
  );
  const before = statSync(wide.path).mtimeMs;
  assert.is((await convert()).path, wide.path);
  assert.is(statSync(wide.path).mtimeMs, before);
  assert.is(said.length, 1);
  utimesSync(weight.path, new Date(), new Date(Date.now() + 5000));
  assert.is.not((await convert()).path, wide.path);
  assert.is(said.length, 2);
  assert.ok(
    readdirSync(cacheDir, { recursive: true }).every((name) => !String(name).includes('.writing-')),
    'nothing half-written is left',
  );
});

weights('the cache lies where LMFLOW_CACHE says', () => {
  const known = process.env['LMFLOW_CACHE'];
  process.env['LMFLOW_CACHE'] = join(folder, 'elsewhere');
  try {
    const wide = new HalfWeights({ halfWeights: 'cached' }).widened(
      written('env', 0, [2, 2], 'float16'),
    )!;
    assert.ok(wide.path.startsWith(join(folder, 'elsewhere', 'engine-onnx')));
  } finally {
    if (known === undefined) delete process.env['LMFLOW_CACHE'];
    else process.env['LMFLOW_CACHE'] = known;
  }
});

weights('telemetry is off', async () => {
  const other = new OnnxEngine({
    options: schema.parse({}),
    device: 'cpu',
    lowerings: createLowerings(),
  });
  await other.upload(Float32Array.of(1), [1], 'float32');
  assert.is(process.env['ORT_DISABLE_TELEMETRY'], '1');
});

weights.after(async () => {
  await engine.dispose();
  rmSync(folder, { recursive: true, force: true });
});
weights.run();
