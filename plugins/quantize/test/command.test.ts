// `lmflow quantize`: what it reports, that both perplexities are those of the logits, and its
// errors.
import { existsSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { createTestKernel } from 'lmflow/testing';
import { ENGINE, MODELS, SCORER, type Samples } from '@lmflow/sdk';
import { forward, type Trace } from '@lmflow/sdk/model';
import { Graph } from '@lmflow/sdk/graph';
import inference from '@lmflow/preset-inference';
import type { QuantizeResult } from '../src/command.ts';
import { rowsOf, windowsOf } from '../src/perplexity.ts';
import { fixtureFolder, root, shared, temporary } from './folders.ts';

const cacheDir = temporary('cache');

/** A fixture model and a text of 80 of its words. */
function fixture(): { readonly model: string; readonly text: string } {
  const model = fixtureFolder('families/llama');
  const text = join(model, 'text.txt');
  writeFileSync(text, ids.map((id) => `t${id}`).join(' '));
  return { model, text };
}
const ids = Array.from({ length: 80 }, (_, index) => (index * 7 + (index % 5) * 11) % 96);

interface Ran {
  readonly result: QuantizeResult;
  readonly info: string;
}

async function run(
  config: Record<string, unknown>,
  options: Record<string, unknown> = {},
): Promise<Ran> {
  const { kernel, log } = await createTestKernel({ presets: [inference], config });
  try {
    const { result } = await kernel.run('quantize', { options });
    return { result: result, info: log.texts('info').join('\n') };
  } finally {
    await kernel.close();
  }
}

const code = (promise: Promise<unknown>): Promise<string> =>
  promise.then(
    () => 'none',
    (error: { code: string }) => error.code,
  );

/** exp of the mean loss of rows of `length` ids, one program a row. */
async function perplexity(
  config: Record<string, unknown>,
  source: string,
  length: number,
): Promise<number> {
  const { kernel } = await createTestKernel({ presets: [inference], config });
  try {
    const model = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source });
    const engine = kernel.resolve(ENGINE);
    let loss = 0;
    for (let start = 0; start < ids.length - 1; start += length) {
      const row = ids.slice(start, Math.min(start + length, ids.length - 1));
      const shape = [1, row.length];
      const graph = new Graph();
      const trace: Trace = {
        graph,
        model,
        batchSize: 1,
        length: row.length,
        mode: 'inference',
        input: (name) => graph.input(name, 'int32', shape),
        positions: graph.input('positions', 'int32', shape),
        dropoutMask: () => {
          throw new Error('no dropout');
        },
      };
      graph.output('logits', model.build.logits(trace, forward(trace)));
      const program = await engine.compile(graph);
      const { logits } = await program.run({
        inputIds: await engine.upload(Int32Array.from(row), shape, 'int32'),
        positions: await engine.upload(Int32Array.from(row.keys()), shape, 'int32'),
      });
      const numbers = (await logits!.read()) as Float32Array;
      row.forEach((_, place) => {
        const one = [...numbers.subarray(place * 96, (place + 1) * 96)];
        loss -= Math.log(
          Math.exp(one[ids[start + place + 1]!]!) /
            one.reduce((sum, number) => sum + Math.exp(number), 0),
        );
      });
    }
    return Math.exp(loss / (ids.length - 1));
  } finally {
    await kernel.close();
  }
}

test('windows: every token but the first is predicted once', () => {
  const windows = (count: number, length: number): number[][] =>
    windowsOf(
      Int32Array.from({ length: count }, (_, index) => index),
      length,
    ).map(({ ids }) => [...ids]);
  assert.equal(windows(6, 2), [
    [0, 1, 2],
    [2, 3, 4],
    [4, 5],
  ]);
  assert.equal(windows(3, 9), [[0, 1, 2]]);
  assert.equal([windows(1, 4), windows(0, 4)], [[], []]);
});

test('the perplexities of the float and of the quantized model, as loaded without the command; sizes; the cache is filled', async () => {
  const { model, text } = fixture();
  const quantize = { bits: 4, cacheDir: temporary('own') };
  const { result } = await run({ model, quantize }, { text, contextLength: 40 });
  const { before, after, tokens } = result.perplexity!;
  assert.is(tokens, 79);
  const near = (found: number, expected: number): void =>
    assert.ok(Math.abs(found / expected - 1) < 1e-5, `${found}, expected ${expected}`);
  near(before, await perplexity({}, model, 40));
  near(after, await perplexity({ quantize }, model, 40));
  assert.ok(Math.abs(after / before - 1) > 1e-4, `${before} and ${after} are of two models`);
  const files = readdirSync(quantize.cacheDir, { recursive: true, withFileTypes: true }).filter(
    (entry) => entry.name.endsWith('.bin'),
  );
  // One of each block's linears that read the hidden states, one of each last linear, one of the
  // head.
  assert.ok(files.length < result.matrices && files.length > 2, `${files.length} files`);
  // float32 in the checkpoint; at 4 bits a block of 32 has 20 bytes for 128, and the head, at 8,
  // 36.
  assert.ok(
    result.bytes.after > (result.bytes.before * 20) / 128 &&
      result.bytes.after < (result.bytes.before * 36) / 128,
    JSON.stringify(result.bytes),
  );
  // Bits as a flag of the command, fewer tokens, and an adapter beneath both.
  assert.equal(
    (
      await run(
        { model, quantize: { cacheDir: quantize.cacheDir } },
        { text, contextLength: 40, bits: 4 },
      )
    ).result,
    result,
  );
  assert.is(
    (await run({ model, quantize }, { text, maxTokens: 11 })).result.perplexity!.tokens,
    10,
  );
  for (const kind of ['plain', 'head']) {
    const adapted = (
      await run(
        { model, quantize, lora: { adapter: join(root, 'test/fixtures/adapters/llama', kind) } },
        { text, contextLength: 16 },
      )
    ).result.perplexity!;
    assert.ok(
      Math.abs(adapted.before / before - 1) > 1e-3 &&
        Math.abs(adapted.after / after - 1) > 1e-3 &&
        adapted.before !== adapted.after,
      `${kind}: ${JSON.stringify(adapted)}`,
    );
  }
});

test('samples of dataset: the labelled tokens of evaluation, as training would evaluate it; packed ones come apart', async () => {
  const { model } = fixture();
  const records = [
    [3, 40, 7],
    [70, 9, 22, 51, 6],
    [12, 12, 90],
    [33, 2, 81, 4, 5, 60],
  ].map((words) => words.map((id) => `t${id}`));
  const dataset = join(model, 'records.jsonl');
  writeFileSync(
    dataset,
    records
      .map(([first, ...rest]) =>
        JSON.stringify({ prompt: `${first!} `, completion: rest.join(' ') }),
      )
      .join('\n'),
  );
  const other = join(model, 'other.jsonl');
  writeFileSync(other, JSON.stringify({ prompt: 't1 ', completion: 't2' }));
  const evalOnly = {
    model,
    dataset: other,
    evalDataset: dataset,
    datasetCacheDir: temporary('datasets'),
    quantize: { bits: 8, cacheDir },
  };
  const { perplexity: found } = (await run(evalOnly)).result;
  // By hand: each completion's words and the end of text, predicted from what comes before.
  const { kernel } = await createTestKernel({ presets: [inference], config: { model } });
  const loaded = await kernel
    .resolve(MODELS)
    .load({ role: 'policy', purpose: 'inference', source: model });
  const logits = kernel.resolve(SCORER).open(loaded);
  let [loss, count] = [0, 0];
  for (const words of records) {
    const row = [...words.map((word) => Number(word.slice(1))), 1];
    const numbers = await logits.logits(Int32Array.from(row));
    for (let place = 0; place + 1 < row.length; place++, count++) {
      const one = [...numbers.subarray(place * 96, (place + 1) * 96)];
      loss -= Math.log(
        Math.exp(one[row[place + 1]!]!) / one.reduce((sum, number) => sum + Math.exp(number), 0),
      );
    }
  }
  await logits.dispose();
  await kernel.close();
  assert.is(found!.tokens, count);
  assert.ok(
    Math.abs(found!.before / Math.exp(loss / count) - 1) < 1e-5,
    `${found!.before}, expected ${Math.exp(loss / count)}`,
  );
  assert.ok(Math.abs(found!.after / found!.before - 1) > 1e-5);
  const packed = (await run({ ...evalOnly, packing: true, blockSize: 16 })).result.perplexity!;
  assert.ok(
    packed.tokens === count && Math.abs(packed.before / found!.before - 1) < 1e-5,
    JSON.stringify(packed),
  );
  assert.is((await run(evalOnly, { maxTokens: 5 })).result.perplexity!.tokens, 5);
});

test('rows of samples: one for each packed sample that has labels', () => {
  const sample = {
    inputIds: Int32Array.of(5, 6, 7, 8, 9),
    labels: Int32Array.of(-100, 6, 7, -100, -100),
    segments: Int32Array.of(1, 1, 1, 2, 2),
  };
  const samples = { length: 1, get: () => sample } as unknown as Samples;
  const [row, ...more] = rowsOf(samples);
  assert.is(more.length, 0);
  assert.equal(
    [[...row!.ids], [...row!.labels!]],
    [
      [5, 6, 7],
      [-100, 6, 7],
    ],
  );
  assert.equal([...rowsOf(samples, 1)[0]!.labels!], [-100, 6, -100]);
});

test('without a text no perplexity, and how to get one; settings and texts that are missing are errors', async () => {
  const { model, text } = fixture();
  const { result, info } = await run({ model, quantize: { bits: 8, cacheDir } });
  assert.is(result.perplexity, undefined);
  assert.match(info, /no perplexity.*--text FILE/);
  assert.is(await code(run({ model }, { text })), 'LMFLOW_SETTING_MISSING');
  assert.is(await code(run({ quantize: { bits: 8 } }, { text })), 'LMFLOW_SETTING_MISSING');
  assert.is(
    await code(run({ model, quantize: { bits: 8, cacheDir } }, { text: `${text}.nowhere` })),
    'LMFLOW_QUANTIZE_TEXT',
  );
  assert.is(
    await code(
      run({ model, dataset: text, quantize: { bits: 8, cacheDir } }, { contextLength: 16 }),
    ),
    'LMFLOW_QUANTIZE_TEXT',
  );
  writeFileSync(text, 't5');
  assert.is(
    await code(run({ model, quantize: { bits: 8, cacheDir } }, { text })),
    'LMFLOW_QUANTIZE_TEXT',
  );
});

if (existsSync(shared)) {
  test('stories260k on its own story: float as transformers has it, 8 bits close, 4 bits further', async () => {
    const text = join(temporary('story'), 'story.txt');
    const readme = readFileSync(join(shared, 'data/README.md'), 'utf8');
    writeFileSync(text, readme.slice(readme.indexOf('Once upon a time')).trimEnd());
    const of = async (bits: number): Promise<{ readonly before: number; readonly after: number }> =>
      (
        await run(
          { model: join(shared, 'models/stories260k'), quantize: { bits, cacheDir } },
          { text },
        )
      ).result.perplexity!;
    const [eight, four] = [await of(8), await of(4)];
    assert.is(eight.before, four.before);
    assert.ok(Math.abs(eight.before - 1.6083237) < 1e-5, `${eight.before}`);
    assert.ok(
      Math.abs(eight.after / eight.before - 1) < 0.005 && four.after > eight.after,
      `${JSON.stringify(eight)} ${JSON.stringify(four)}`,
    );
  });
} else {
  process.stderr.write('skipped: no ../shared\n');
}

test.run();
