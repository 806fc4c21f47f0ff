// A loss of pairs, built as the sdk's functions for sequences build it: the same number whether its
// answers are padded, joined into rows, one pair at a time, or all of them in one micro-batch.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { joinSamples, type Objective, type Sample, type Samples } from '@lmflow/sdk';
import { answerLogProbs, groupMembers, sequenceSums, type Model } from '@lmflow/sdk/model';
import { gather, logSigmoid, mul, neg, reshape, sub, sum } from '@lmflow/sdk/graph';
import { fit, noise, temporaryFolder, tinyModel, VOCABULARY, WIDTH } from './kit.ts';

/** A preference for the answer that is likelier, in pairs. */
const preference: Objective = {
  name: 'preference',
  build: (trace) => {
    const { logProbs, answered } = answerLogProbs(trace);
    const [chosen, rejected] = groupMembers(sequenceSums(trace, logProbs), 2);
    const margins = sub(sub(chosen!, rejected!), groupMembers(trace.input('margin'), 2)[0]!);
    return {
      loss: neg(sum(logSigmoid(margins))),
      metrics: { tokens: { sum: sum(sequenceSums(trace, answered)), weight: sum(answered) } },
    };
  },
  weight: ({ sequences, groupSize }) => sequences.length / groupSize,
  perToken: true,
};

function pairModel(): Model {
  const model = tinyModel();
  const build = {
    embed: (trace, ids) =>
      gather(
        trace.graph.input('parameter:embedding', 'float32', [VOCABULARY, WIDTH]),
        reshape(ids, [trace.batchSize * trace.length]),
      ),
    head: (trace, hidden) => ({
      hidden: mul(hidden, 1),
      weight: trace.graph.input('parameter:head', 'float32', [VOCABULARY, WIDTH]),
    }),
  } as Partial<Model['build']>;
  return { ...model, build: build as Model['build'] };
}

/** Answers of 2 to 9 tokens behind prompts of 3, with a margin. */
function pairs(count: number): Samples {
  const groups = Array.from({ length: count }, (_, pair): readonly Sample[] =>
    [0, 1].map((side) => {
      const length = 5 + ((pair * 5 + side * 3) % 8);
      const inputIds = Int32Array.from(
        noise(length, 100 * pair + 7 * side + 1, 1),
        (number) => Math.floor(((number + 1) * VOCABULARY) / 2) % VOCABULARY,
      );
      const labels = inputIds.map((id, place) => (place < 3 ? -100 : id));
      return { inputIds, labels, columns: { margin: pair / 10 } };
    }),
  );
  return {
    length: count,
    fingerprint: 'pairs',
    statistics: { samples: count, tokens: 0, trainedTokens: 1, truncated: 0, dropped: 0 },
    get: (index) => joinSamples(groups[index]!),
    lengthOf: (index) => Math.max(...groups[index]!.map(({ inputIds }) => inputIds.length)),
    group: { size: 2, get: (index) => groups[index]! },
  };
}

const run = async (
  perDeviceTrainBatchSize: number,
  gradientAccumulationSteps: number,
  paddingFree: boolean,
): Promise<{ losses: number[]; tokens: number[]; parameters: Float32Array[] }> => {
  const model = pairModel();
  const { result } = await fit({
    model,
    train: pairs(16),
    objective: preference,
    config: { outputDir: temporaryFolder() },
    options: {
      perDeviceTrainBatchSize,
      gradientAccumulationSteps,
      paddingFree,
      maxSteps: 4,
      loggingSteps: 1,
      learningRate: 0.05,
    },
  });
  return {
    losses: result.log.flatMap(({ loss }) => (loss === undefined ? [] : [loss])),
    tokens: result.log.flatMap(({ tokens }) => (tokens === undefined ? [] : [tokens])),
    parameters: [...model.parameters.values()].map(({ data }) => data),
  };
};

test('16 pairs one by one are 16 pairs at once, padded or joined', async () => {
  const whole = await run(16, 1, false);
  assert.is(whole.losses.length, 4);
  assert.ok(whole.losses[3]! < whole.losses[0]!, 'it learns');
  assert.equal(whole.tokens, [1, 1, 1, 1], 'every answered token is in one sequence');
  for (const [size, accumulation, joined] of [
    [16, 1, true],
    [1, 16, false],
    [1, 16, true],
    [4, 4, true],
  ] as const) {
    const other = await run(size, accumulation, joined);
    const what = `${size} x ${accumulation}, ${joined ? 'joined' : 'padded'}`;
    other.losses.forEach((loss, step) => {
      const off = Math.abs(loss - whole.losses[step]!);
      assert.ok(off < 1e-6, `${what}, step ${step}: ${loss}, not ${whole.losses[step]}`);
    });
    other.parameters.forEach((data, index) =>
      data.forEach((number, place) => {
        const off = Math.abs(number - whole.parameters[index]![place]!);
        assert.ok(off < 1e-5, `${what}: a parameter differs by ${off}`);
      }),
    );
  }
});

test.run();
