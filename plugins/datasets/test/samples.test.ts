// From records to samples: truncation, blocks and groups, packing, splits, mixing, hooks, what is
// told, the cache on disk.
import { existsSync, readFileSync, readdirSync, truncateSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  randomStream,
  type Dataset,
  type DatasetRecord,
  type Sample,
  type Samples,
  type Tokenizer,
} from '@lmflow/sdk';
import { mix } from '../src/sources/record-streams.ts';
import { bestFit } from '../src/samples/packed-samples.ts';
import {
  all,
  failure,
  file,
  folder,
  hasShared,
  keepingLog,
  load,
  loaderOf,
  masked,
  removeFolders,
  shared,
  stories,
  tinyTokenizer,
} from './kit.ts';

const texts = (...list: readonly string[]): string =>
  file(
    't.json',
    list.map((text) => ({ text })),
  );
const pairs = (count: number, length = (index: number): number => 1 + ((index * 7) % 23)): string =>
  file(
    'p.json',
    Array.from({ length: count }, (_, index) => ({
      input: `${index}:`,
      output: 'x'.repeat(length(index)),
    })),
  );
const decoded = (samples: Samples, tokenizer: Tokenizer): string[] =>
  all(samples).map(({ inputIds }) => tokenizer.decode(inputIds));
const answers = async (): Promise<Tokenizer> => tinyTokenizer({ bos: true });

test('truncation on the right, on the left behind BOS, or not at all', async () => {
  const tokenizer = await answers();
  const data = file('p.json', [
    { input: 'ab', output: 'cdef' },
    { input: 'a', output: 'b' },
    { input: 'abcdef', output: 'g' },
  ]);
  const shape = async (truncation: string): Promise<unknown> => {
    const { train } = await load({ dataset: data, blockSize: 5, truncation }, { tokenizer });
    return [
      all(train).map((sample) => masked(sample, tokenizer)),
      train.statistics.truncated,
      train.statistics.dropped,
    ];
  };
  assert.equal(await shape('right'), [['<s>ab[cd]', '<s>a[b</s>]'], 1, 1]);
  assert.equal(await shape('left'), [['<s>[def</s>]', '<s>a[b</s>]', '<s>ef[g</s>]'], 2, 0]);
  assert.equal(await shape('drop'), [['<s>a[b</s>]'], 0, 2]);
});

test('a long text is cut into blocks, not truncated; joined they are the text', async () => {
  const tokenizer = await answers();
  const { train } = await load({ dataset: texts('abcdefgh', 'ij'), blockSize: 4 }, { tokenizer });
  assert.equal(decoded(train, tokenizer), ['<s>abc', 'defg', 'h</s>', '<s>ij</s>']);
  assert.equal(train.statistics, {
    samples: 4,
    tokens: 14,
    trainedTokens: 10,
    truncated: 0,
    dropped: 0,
  });
});

test('a very long text in one record is encoded in parts and is still one document', async () => {
  const tokenizer = await answers();
  const text = Array.from({ length: 12_000 }, (_, index) => `line ${index} of it`).join('\n');
  assert.ok(text.length > 1 << 17);
  const { train } = await load({ dataset: texts(text, 'b'), blockSize: 512 }, { tokenizer });
  assert.is(decoded(train, tokenizer).join(''), `<s>${text}</s><s>b</s>`);
});

test('groupTexts joins documents, each with its EOS, and keeps the rest', async () => {
  const tokenizer = await answers();
  const { train } = await load(
    { dataset: texts('ab', 'cde', '', 'f'), blockSize: 5, groupTexts: true },
    { tokenizer },
  );
  assert.equal(decoded(train, tokenizer), ['<s>ab</s><s>', 'cde</s><s>', 'f</s>']);
  assert.is(train.statistics.dropped, 1);
});

test('groupTexts without plain texts is told', async () => {
  const log = keepingLog();
  await load(
    { dataset: file('a.json', [{ instruction: 'hi', output: 'yes' }]), groupTexts: true },
    { tokenizer: await answers(), log },
  );
  assert.match(log.lines.join(), /groupTexts has no effect/);
});

test('best fit decreasing fills bins and stays deterministic', () => {
  assert.equal(bestFit([5, 7, 3, 2, 8], 10), [[0], [1, 2], [3, 4]]);
  const lengths = Int32Array.from(
    { length: 5000 },
    (_, index) => 1 + (randomStream(1, 'length').bits(index) % 100),
  );
  const bins = bestFit(lengths, 128);
  assert.equal(
    bins.flat().sort((a, b) => a - b),
    Array.from({ length: 5000 }, (_, index) => index),
  );
  const total = lengths.reduce((sum, length) => sum + length, 0);
  for (const bin of bins) assert.ok(bin.reduce((sum, index) => sum + lengths[index]!, 0) <= 128);
  assert.ok(bins.length <= Math.ceil(total / 128) * 1.02, `${bins.length} bins for ${total / 128}`);
});

test('packed samples are the same samples, with positions and segments of their own', async () => {
  const tokenizer = await answers();
  const config = { dataset: pairs(60), blockSize: 32 };
  const { train: single } = await load(config, { tokenizer });
  const { train: packed } = await load({ ...config, packing: true }, { tokenizer });
  const split = all(packed).flatMap((sample) => {
    assert.is(sample.inputIds.length <= 32, true);
    const parts: Sample[] = [];
    for (let segment = 1, from = 0; from < sample.inputIds.length; segment++) {
      const to = sample.segments!.lastIndexOf(segment) + 1;
      assert.equal(
        [...sample.positions!.subarray(from, to)],
        Array.from({ length: to - from }, (_, index) => index),
      );
      parts.push({
        inputIds: sample.inputIds.subarray(from, to),
        labels: sample.labels.subarray(from, to),
      });
      from = to;
    }
    return parts;
  });
  const keys = (samples: readonly Sample[]): string[] =>
    samples.map((sample) => `${sample.inputIds.join()}|${sample.labels.join()}`).sort();
  assert.equal(keys(split), keys(all(single)));
  const longest = Math.max(...all(single).map(({ inputIds }) => inputIds.length));
  assert.ok(
    longest < 32 && all(packed).every(({ contextLength }) => contextLength === longest),
    'rotary positions go by the longest sample, not by the row',
  );
  assert.ok(packed.length < single.length / 1.5);
  assert.equal({ ...packed.statistics, samples: 60 }, single.statistics);
  assert.is(packed.lengthOf(0), packed.get(0).inputIds.length);
});

test('the validation split is the beginning of the permutation of the seed, and both sides keep the order', async () => {
  const tokenizer = await answers();
  const data = pairs(40, () => 1);
  const numbers = (samples: Samples): number[] =>
    decoded(samples, tokenizer).map((text) => Number(/(\d+):/.exec(text)![1]));
  const { train, evaluation } = await load(
    { dataset: data, validationSplit: 0.25, seed: 7 },
    { tokenizer },
  );
  const expected = [...randomStream(7, 'split').permutation(40).subarray(0, 10)].sort(
    (a, b) => a - b,
  );
  assert.equal(numbers(evaluation!), expected);
  assert.equal(
    numbers(train),
    Array.from({ length: 40 }, (_, index) => index).filter((index) => !expected.includes(index)),
  );
  const counted = await load(
    { dataset: data, validationSplit: 3, seed: 7, maxTrainSamples: 5, maxEvalSamples: 2 },
    { tokenizer },
  );
  assert.equal([counted.train.length, counted.evaluation!.length], [5, 2]);
  const other = await load({ dataset: data, validationSplit: 0.25, seed: 8 }, { tokenizer });
  assert.not.equal(numbers(other.evaluation!), expected);
});

test('a split of several datasets takes from each in proportion, and mixing does not leak', async () => {
  const tokenizer = await answers();
  const dataset = [
    { path: pairs(30, () => 1), weight: 1 },
    { path: pairs(10, () => 2), weight: 3 },
  ];
  const { train, evaluation } = await load({ dataset, validationSplit: 8 }, { tokenizer });
  const small = decoded(evaluation!, tokenizer).filter((text) => text.includes('xx'));
  assert.equal([evaluation!.length, small.length], [8, 2]);
  for (const text of decoded(evaluation!, tokenizer)) {
    assert.not.ok(decoded(train, tokenizer).includes(text));
  }
});

test('weights are shares of the mix; every record is seen, small datasets repeat', async () => {
  const tokenizer = await answers();
  const dataset = [
    { path: pairs(200, () => 1), weight: 1 },
    { path: pairs(20, () => 2), weight: 1 },
  ];
  const log = keepingLog();
  const { train, description } = await load({ dataset, seed: 3 }, { tokenizer, log });
  const small = decoded(train, tokenizer).filter((text) => text.includes('xx'));
  assert.ok(
    Math.abs(small.length / train.length - 0.5) < 0.08,
    `${small.length} of ${train.length}`,
  );
  assert.is(new Set(decoded(train, tokenizer)).size, 220);
  assert.equal(
    (description['dataset'] as { records: number }[]).map(({ records }) => records),
    [200, 20],
  );
  const again = await load({ dataset, seed: 3 }, { tokenizer });
  assert.equal(decoded(again.train, tokenizer), decoded(train, tokenizer));
  const first = await load({ dataset, seed: 3, mixing: 'firstExhausted' }, { tokenizer });
  assert.equal(
    decoded(first.train, tokenizer),
    decoded(train, tokenizer).slice(0, first.train.length),
  );
  assert.ok(first.train.length < 80);
  const plain = await load({ dataset: dataset.map(({ path }) => path) }, { tokenizer });
  assert.is(plain.train.length, 220);
});

test('mixing keeps the parts of a document together', async () => {
  const part = (text: string, name?: 'first' | 'last'): DatasetRecord => ({
    kind: 'text',
    text,
    origin: { file: 'f' },
    ...(name ? { part: name } : {}),
  });
  const from = (...records: readonly DatasetRecord[]) =>
    async function* (): AsyncGenerator<DatasetRecord> {
      yield* records;
    };
  const mixed = mix(
    [
      { name: 'a', weight: 1, records: from(part('a', 'first'), part('b', 'last')) },
      { name: 'b', weight: 5, records: from(part('x'), part('y')) },
    ],
    1,
    'allExhausted',
  );
  let text = '';
  for await (const record of mixed()) text += (record as { text: string }).text;
  assert.not.match(text.replaceAll('ab', ''), /[ab]/);
});

test('taps see each split, may change records and samples, and a changed fingerprint is another cache entry', async () => {
  const tokenizer = await answers();
  const seen: string[] = [];
  const upper = (dataset: Dataset, { split }: { split: string }): Dataset => {
    seen.push(split);
    return {
      ...dataset,
      fingerprint: `${dataset.fingerprint}/upper`,
      records: async function* () {
        for await (const record of dataset.records()) {
          if (record.kind === 'text') yield { ...record, text: record.text.toUpperCase() };
        }
      },
    };
  };
  const onSamples = (samples: Samples): Samples => ({
    ...samples,
    length: 1,
    statistics: samples.statistics,
    fingerprint: 'x',
    get: (index) => samples.get(index),
    lengthOf: (index) => samples.lengthOf(index),
  });
  const datasetCacheDir = folder();
  const data = texts('ab', 'cd', 'ef', 'gh');
  const plain = await load({ dataset: data, datasetCacheDir }, { tokenizer });
  const { train } = await load(
    { dataset: data, validationSplit: 0.5, datasetCacheDir },
    { tokenizer, onDataset: upper, onSamples },
  );
  assert.equal(seen, ['train', 'evaluation']);
  assert.is(train.length, 1);
  assert.match(decoded(train, tokenizer)[0]!, /^<s>[A-H]+<\/s>$/);
  assert.is(plain.train.length, 4);
});

test('what is found is told, with the first sample and its mask', async () => {
  const log = keepingLog();
  await load(
    {
      dataset: file('qa.json', [
        { input: 'q', output: ' a' },
        { input: 'q'.repeat(600), output: 'x' },
        { input: 'q', output: 'b'.repeat(600) },
      ]),
    },
    { tokenizer: await answers(), log },
  );
  const text = log.lines.join('\n');
  for (const part of [
    'qa.json: text2text, 3 records',
    'samples: 2',
    'truncated: 1',
    'dropped: 1 without a trained token',
    '<s>q⟦ a</s>⟧',
    'fallback:plain',
  ]) {
    assert.ok(text.includes(part), `${part} is not in\n${text}`);
  }
});

test('templates: a named one replaces, a file is read, lacking markers are told', async () => {
  const tokenizer = await tinyTokenizer({ chatTemplate: 'own' });
  const log = keepingLog();
  const data = file('a.json', [{ instruction: 'hi', output: 'yes' }]);
  await load({ dataset: data, chatTemplate: 'chatml' }, { tokenizer, log });
  assert.match(log.lines[1]!, "chat template: chatml, in place of the tokenizer's own");
  assert.match(log.lines[0]!, 'no token <|im_start|>, <|im_end|>');
  assert.ok(log.lines.some((line) => line.includes('</s> is added after the last answer')));
  const path = file(
    'mine.jinja',
    "{% for m in messages %}{{ m['role'] + ':' + m['content'] + eos_token }}{% endfor %}",
  );
  const { train } = await load({ dataset: data, chatTemplate: path }, { tokenizer });
  assert.is(masked(train.get(0), tokenizer), 'user:hi</s>assistant:[yes</s>]');
  assert.is(tokenizer.chatTemplateOrigin, path);
});

/** A tokenizer that counts how many texts it encodes. */
function counting(tokenizer: Tokenizer): { tokenizer: Tokenizer; encoded: () => number } {
  let encoded = 0;
  const wrapped = new Proxy(tokenizer, {
    get: (target, key) => {
      const value: unknown = Reflect.get(target, key, target);
      if (key === 'encodeBatch') {
        return (list: readonly string[], options?: object) => {
          encoded += list.length;
          return target.encodeBatch(list, options);
        };
      }
      return typeof value === 'function' ? (value as () => unknown).bind(target) : value;
    },
    set: (target, key, value) => Reflect.set(target, key, value, target),
  });
  return { tokenizer: wrapped, encoded: () => encoded };
}

test('the second run takes the tokens from the cache and says so; content, template and options make it anew', async () => {
  const datasetCacheDir = folder();
  const data = file('a.json', [
    { instruction: 'hi', output: 'yes' },
    { instruction: 'more', output: 'no' },
  ]);
  const run = async (
    config: Record<string, unknown> = {},
  ): Promise<readonly [number, boolean, Samples]> => {
    const { tokenizer, encoded } = counting(await tinyTokenizer());
    const log = keepingLog();
    const { train } = await load({ dataset: data, datasetCacheDir, ...config }, { tokenizer, log });
    return [
      encoded(),
      log.lines.some((line) => line.includes('a.json: alpaca, 2 records (tokens from the cache)')),
      train,
    ];
  };
  const [encoded, told, first] = await run();
  assert.equal([encoded, told], [2, false]);
  const [none, cached, second] = await run();
  assert.equal([none, cached], [0, true]);
  assert.equal(all(second), all(first));
  assert.equal(second.statistics, first.statistics);
  assert.is(second.fingerprint, first.fingerprint);
  assert.is((await run({ packing: true }))[0], 0);
  for (const config of [
    { blockSize: 300 },
    { trainOnPrompt: true },
    { chatTemplate: 'vicuna' },
    { overwriteCache: true },
    { maxTrainSamples: 1 },
  ]) {
    assert.ok((await run(config))[0] > 0, JSON.stringify(config));
  }
  writeFileSync(data, JSON.stringify([{ instruction: 'hi', output: 'yes!' }]));
  assert.is((await run())[0], 1);
});

test('a corrupted cache is made again', async () => {
  const datasetCacheDir = folder();
  const data = texts('abc', 'def');
  const tokenizer = await answers();
  const reference = decoded(
    (await load({ dataset: data, datasetCacheDir }, { tokenizer })).train,
    tokenizer,
  );
  const entry = join(datasetCacheDir, readdirSync(datasetCacheDir)[0]!);
  const damages: (() => void)[] = [
    () => truncateSync(join(entry, 'tokens.bin'), 8),
    () => {
      const bytes = readFileSync(join(entry, 'tokens.bin'));
      bytes[0]! ^= 1;
      writeFileSync(join(entry, 'tokens.bin'), bytes);
    },
    () => writeFileSync(join(entry, 'offsets.bin'), 'x'),
    () => writeFileSync(join(entry, 'index.json'), '{'),
  ];
  for (const damage of damages) {
    damage();
    assert.equal(
      decoded((await load({ dataset: data, datasetCacheDir }, { tokenizer })).train, tokenizer),
      reference,
    );
  }
  assert.equal(readdirSync(datasetCacheDir).length, 1);
});

test('runs at the same time share a cache without disturbing each other; a failed run leaves nothing', async () => {
  const datasetCacheDir = folder();
  const data = pairs(300);
  const tokenizer = await answers();
  const runs = await Promise.all(
    Array.from({ length: 4 }, () => load({ dataset: data, datasetCacheDir }, { tokenizer })),
  );
  for (const { train } of runs) {
    assert.equal(decoded(train, tokenizer), decoded(runs[0]!.train, tokenizer));
  }
  assert.is(readdirSync(datasetCacheDir).length, 1);
  await failure(() =>
    load({ dataset: file('b.jsonl', '{"text": "x"}\n{"txt": 1}'), datasetCacheDir }, { tokenizer }),
  );
  assert.is(readdirSync(datasetCacheDir).length, 1);
});

test('without a place for the cache the run goes on and warns', async () => {
  const log = keepingLog();
  const { train } = await load(
    { dataset: texts('abc'), datasetCacheDir: join(file('taken', 'x'), 'cache') },
    { tokenizer: await answers(), log },
  );
  assert.is(train.length, 1);
  assert.ok(log.lines.some((line) => line.startsWith('warning: the dataset cache')));
});

test('the loader stops at a signal and leaves nothing in the cache', async () => {
  const datasetCacheDir = folder();
  const signal = AbortSignal.abort(new Error('stopped'));
  const loader = loaderOf({ dataset: pairs(10), datasetCacheDir });
  try {
    await loader.load({ tokenizer: await answers(), maxPositions: 64, signal });
    assert.unreachable();
  } catch (error) {
    assert.match((error as Error).message, /stopped|aborted/);
  }
  assert.not.ok(existsSync(datasetCacheDir) && readdirSync(datasetCacheDir).length > 0);
});

test('the real tokenizer: the shared data, its fallback and its cache', async () => {
  if (!hasShared()) return;
  const tokenizer = await stories();
  const log = keepingLog();
  const { train, evaluation } = await load(
    { dataset: join(shared, 'data/alpaca_en_demo.json'), validationSplit: 0.1 },
    { tokenizer, log },
  );
  assert.is(train.statistics.samples + train.statistics.dropped, 899);
  assert.is(evaluation!.statistics.samples + evaluation!.statistics.dropped, 100);
  for (const sample of all(train)) {
    assert.is(sample.inputIds[0], 1);
    assert.is(sample.inputIds.filter((id) => id === 1).length, 1);
    if (sample.inputIds.length < 512) {
      assert.equal([sample.inputIds.at(-1), sample.labels.at(-1)], [2, 2]);
    }
    assert.ok(
      sample.labels.every((label, index) => label === -100 || label === sample.inputIds[index]),
    );
  }
});

test.after(removeFolders);
test.run();
