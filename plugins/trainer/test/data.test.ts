// Which samples a step sees and how they become batches; what a program's memory is.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { IGNORED, type Sample } from '@lmflow/sdk';
import { add, exp, Graph, reshape, sum } from '@lmflow/sdk/graph';
import { batchLength, collate, lengthCap } from '../src/data/collate.ts';
import { activationBytes } from '../src/loop/memory.ts';
import { trainerOptions, type TrainerInput } from '../src/options.ts';
import { dataOrder, evaluationBatches, originAt } from '../src/data/sampler.ts';
import { samplesOf, tinySamples } from './kit.ts';

const orderOf = (count: number, options: TrainerInput, seed = 42): ReturnType<typeof dataOrder> =>
  dataOrder(tinySamples(count), trainerOptions.parse(options), seed);
const epoch = (order: ReturnType<typeof dataOrder>, number: number): number[] =>
  Array.from({ length: order.stepsPerEpoch }, (_, step) =>
    order.microBatches(number * order.stepsPerEpoch + step + 1),
  ).flat(2);
const sorted = (numbers: readonly number[]): number[] => [...numbers].sort((a, b) => a - b);
const upTo = (count: number): number[] => Array.from({ length: count }, (_, index) => index);

test('an epoch sees every sample once, in an order of its own', () => {
  const order = orderOf(23, { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 3 });
  assert.is(order.stepsPerEpoch, 4); // 12 micro-batches
  assert.equal(sorted(epoch(order, 0)), upTo(23));
  assert.equal(sorted(epoch(order, 1)), upTo(23));
  assert.not.equal(epoch(order, 0), epoch(order, 1));
  assert.equal(
    order.microBatches(4).map(({ length }) => length),
    [2, 2, 1],
  );
});

test('the order follows from the seed alone, and dataSeed is its own', () => {
  assert.equal(epoch(orderOf(23, {}), 2), epoch(orderOf(23, {}), 2));
  assert.not.equal(epoch(orderOf(23, {}, 1), 0), epoch(orderOf(23, {}, 2), 0));
  assert.equal(epoch(orderOf(23, { dataSeed: 5 }, 1), 0), epoch(orderOf(23, {}, 5), 0));
});

test('the batch size does not change the order', () => {
  assert.equal(
    epoch(orderOf(20, { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4 }), 0),
    epoch(orderOf(20, { perDeviceTrainBatchSize: 4 }), 0),
  );
});

test('epochs are counted with fractions, and a step ends with its epoch', () => {
  // 5 micro-batches, 3 steps
  const order = orderOf(10, { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 2 });
  assert.equal(
    [1, 2, 3, 4].map((step) => order.epochAfter(step)),
    [0.4, 0.8, 1, 1.4],
  );
  assert.equal(order.microBatches(3).length, 1);
});

test('from an origin on: the same steps where nothing has changed', () => {
  for (const options of [
    { perDeviceTrainBatchSize: 2, gradientAccumulationSteps: 3 },
    { perDeviceTrainBatchSize: 4, dataloaderDropLast: true },
    { perDeviceTrainBatchSize: 3, gradientAccumulationSteps: 2 },
  ]) {
    const parsed = trainerOptions.parse(options);
    const samples = tinySamples(23);
    const whole = dataOrder(samples, parsed, 42);
    for (let step = 0; step < 12; step++) {
      const origin = originAt(step, whole.epochAfter(step), 23, parsed);
      const rest = dataOrder(samples, parsed, 42, origin);
      for (let later = step + 1; later < 16; later++) {
        assert.equal(rest.microBatches(later), whole.microBatches(later));
        assert.is(rest.epochAfter(later), whole.epochAfter(later));
      }
      assert.is(rest.stepsUntil(4.7), whole.stepsUntil(4.7));
    }
  }
});

test('with another batch size it goes on with the next sample, and every epoch has each once', () => {
  const samples = tinySamples(23);
  const before = trainerOptions.parse({ perDeviceTrainBatchSize: 2 });
  const after = trainerOptions.parse({ perDeviceTrainBatchSize: 5, gradientAccumulationSteps: 2 });
  const first = dataOrder(samples, before, 42);
  // 12 steps an epoch before; four steps of the second epoch
  const origin = originAt(16, first.epochAfter(16), 23, before);
  assert.equal(origin, { step: 16, epoch: 1, samples: 8 });
  const second = dataOrder(samples, after, 42, origin);
  const passed = [13, 14, 15, 16].flatMap((step) => first.microBatches(step).flat());
  // 15 samples are left: 10 and 5
  const rest = [17, 18].flatMap((step) => second.microBatches(step).flat());
  assert.is(rest.length, 15);
  assert.equal(sorted([...passed, ...rest]), upTo(23));
  assert.equal(
    sorted([19, 20, 21].flatMap((step) => second.microBatches(step).flat())),
    upTo(23),
    'the third epoch',
  );
  assert.is(second.epochAfter(18), 2);
  assert.is(second.epochAfter(21), 3);
  assert.is(second.stepsUntil(2), 18);
  assert.is(second.stepsUntil(3), 21);
});

test('dropLast leaves the last micro-batch out; too few samples are an error', () => {
  const order = orderOf(11, { perDeviceTrainBatchSize: 4, dataloaderDropLast: true });
  assert.is(order.stepsPerEpoch, 2);
  assert.is(epoch(order, 0).length, 8);
  assert.throws(
    () => orderOf(3, { perDeviceTrainBatchSize: 4, dataloaderDropLast: true }),
    /do not fill/,
  );
  assert.throws(() => orderOf(0, {}), /no sample/);
});

test('sequential keeps the order; group_by_length sorts inside of random groups and starts with the longest', () => {
  assert.equal(epoch(orderOf(9, { trainSamplingStrategy: 'sequential' }), 1), upTo(9));
  const samples = tinySamples(200);
  for (const options of [
    { trainSamplingStrategy: 'group_by_length' },
    { groupByLength: true },
  ] as const) {
    const order = epoch(
      dataOrder(samples, trainerOptions.parse({ perDeviceTrainBatchSize: 4, ...options }), 1),
      0,
    );
    assert.equal(sorted(order), upTo(200));
    assert.is(
      samples.lengthOf(order[0]!),
      Math.max(...upTo(200).map((index) => samples.lengthOf(index))),
    );
    const spread = upTo(50).filter(
      (batch) =>
        new Set(order.slice(4 * batch, 4 * batch + 4).map((index) => samples.lengthOf(index)))
          .size > 2,
    ).length;
    assert.ok(spread < 12, `${spread} of 50 batches mix lengths`);
  }
});

test('evaluation batches: every sample once, neighbours of like length', () => {
  const samples = tinySamples(11);
  const batches = evaluationBatches(samples, 4);
  assert.equal(
    batches.map(({ length }) => length),
    [4, 4, 3],
  );
  assert.equal(sorted(batches.flat()), upTo(11));
  const lengths = batches.flat().map((index) => samples.lengthOf(index));
  assert.equal(lengths, sorted(lengths));
});

const sample = (...ids: number[]): Sample => ({
  inputIds: Int32Array.from(ids),
  labels: Int32Array.from(ids, (id, place) => (place === 1 ? IGNORED : id)),
});

test('a batch is padded on the right, up to a multiple of a length', () => {
  const batch = collate([sample(5, 6, 7), sample(8, 9)], { multipleOf: 4, cap: 100 });
  // not the first token, not the ignored ones
  assert.equal([batch.size, batch.length, batch.tokens, batch.trainedTokens], [2, 4, 5, 1]);
  assert.equal([...batch.tensors['inputIds']!.data], [5, 6, 7, 0, 8, 9, 0, 0]);
  assert.equal(
    [...batch.tensors['labels']!.data],
    [5, IGNORED, 7, IGNORED, 8, IGNORED, IGNORED, IGNORED],
  );
  assert.equal([...batch.tensors['positions']!.data], [0, 1, 2, 3, 0, 1, 2, 3]);
  assert.is(batch.tensors['segments'], undefined);
});

test('packed samples keep segments and positions; a boundary carries no label', () => {
  const packed: Sample = {
    inputIds: Int32Array.of(1, 2, 3, 4, 5),
    labels: Int32Array.of(1, 2, 3, 4, 5),
    segments: Int32Array.of(1, 1, 2, 2, 2),
    positions: Int32Array.of(0, 1, 0, 1, 2),
  };
  const batch = collate([packed, sample(7, 8)], { multipleOf: 3, cap: 100 });
  assert.equal([...batch.tensors['segments']!.data], [1, 1, 2, 2, 2, 0, 1, 1, 0, 0, 0, 0]);
  assert.equal([...batch.tensors['positions']!.data], [0, 1, 0, 1, 2, 0, 0, 1, 0, 0, 0, 0]);
  assert.is(batch.trainedTokens, 3);
  assert.is(batch.contextLength, undefined);
  assert.is(
    collate([{ ...packed, contextLength: 3 }], { multipleOf: 2, cap: 100 }).contextLength,
    4,
  );
  assert.is(collate([{ ...packed, contextLength: 3 }], { multipleOf: 8, cap: 5 }).contextLength, 5);
});

test('samples of unlike length stand one after another where that saves a tenth', () => {
  const [long, short] = [sample(5, 6, 7, 8, 9, 10), sample(3, 4)];
  const joined = collate([short, long, short], { multipleOf: 2, cap: 8, join: true });
  assert.equal(
    [joined.size, joined.length, joined.contextLength, joined.tokens, joined.trainedTokens],
    [1, 10, 8, 10, 4],
  );
  assert.equal([...joined.tensors['inputIds']!.data], [3, 4, 5, 6, 7, 8, 9, 10, 3, 4]);
  assert.equal([...joined.tensors['segments']!.data], [1, 1, 2, 2, 2, 2, 2, 2, 3, 3]);
  assert.equal([...joined.tensors['positions']!.data], [0, 1, 0, 1, 2, 3, 4, 5, 0, 1]);
  const padded = collate([short, long, short], { multipleOf: 2, cap: 8 });
  assert.equal(
    [padded.size, padded.length, padded.contextLength, padded.trainedTokens],
    [3, 6, undefined, 4],
  );
  assert.is(collate([long, long], { multipleOf: 2, cap: 8, join: true }).size, 2); // saves nothing
  const packed: Sample = { ...short, segments: Int32Array.of(1, 2) };
  assert.is(collate([packed, long], { multipleOf: 2, cap: 8, join: true }).size, 2);
});

test('joined rows: about 2,048 tokens each, every sample once, few lengths', () => {
  const samples = upTo(40).map((index) =>
    sample(...upTo(20 + ((index * 97) % 260)).map((id) => 1000 * index + id)),
  );
  const { size, length, tensors, tokens } = collate(samples, {
    multipleOf: 64,
    cap: 1024,
    join: true,
  });
  assert.is(size, Math.ceil(tokens / 2048));
  assert.is(length % 256, 0);
  assert.ok(size * length < 1.25 * tokens, `${size} rows of ${length} for ${tokens} tokens`);
  const [ids, segments] = [tensors['inputIds']!.data, tensors['segments']!.data];
  const found = [...ids]
    .map(Number)
    .filter((_, place) => segments[place] !== 0)
    .sort((a, b) => a - b);
  assert.equal(
    found,
    samples.flatMap(({ inputIds }) => [...inputIds]),
  );
});

test('lengths: few, and never past the model', () => {
  assert.equal(
    [1, 4, 5, 30].map((longest) => batchLength(longest, { multipleOf: 4, cap: 30 })),
    [4, 4, 8, 30],
  );
  assert.throws(() => batchLength(31, { multipleOf: 4, cap: 30 }), /31 tokens/);
  const samples = samplesOf([sample(1, 2, 3, 4, 5)]);
  assert.is(lengthCap([samples, undefined], 64, 32), 32);
  assert.is(lengthCap([samples], 4, 32), 8);
  assert.is(lengthCap([samples], 64, 3), 5); // longer than the model's positions: the data decides
});

test('memory of a program: what is alive at once', () => {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [100]);
  const a = exp(x); // 400 bytes
  const b = exp(reshape(a, [10, 10])); // 400 more
  const c = add(reshape(b, [100]), a); // both still needed: 1200
  graph.output('sum', sum(c));
  exp(c); // nobody needs it
  assert.is(activationBytes(graph), 1200);
});

test.run();
