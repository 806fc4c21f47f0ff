// Figures in the log: those that taps add, and those of an objective with a denominator of its own,
// over micro-batches, steps between two entries, and an evaluation.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Objective } from '@lmflow/sdk';
import { fit, temporaryFolder, tinyObjective, tinySamples } from './kit.ts';

/** The share of the batch's rows that are counted: 2 of them for each row of a micro-batch. */
const withRatio: Objective = {
  ...tinyObjective,
  build: (trace) => {
    const { loss } = tinyObjective.build(trace);
    const count = (number: number) => trace.graph.constant(Float32Array.of(number), [], 'float32');
    return {
      loss,
      metrics: { share: { sum: count(trace.batchSize), weight: count(2 * trace.batchSize + 1) } },
    };
  },
};

test('a tap adds a figure: the sum of totals over the sum of weights since the last entry', async () => {
  const { result } = await fit({
    config: { outputDir: temporaryFolder() },
    train: tinySamples(8),
    options: { maxSteps: 4, loggingSteps: 2, perDeviceTrainBatchSize: 2 },
    tap: (hooks) => {
      hooks.onBatch.tap((batch, { number, figures }) => {
        figures.add('rewards/mean', 10 * number, number);
        return batch;
      });
      hooks.onStep.tap(({ number, figures }) => {
        if (number === 3) figures.add('once', 5);
      });
    },
  });
  const entries = result.log.filter(({ loss }) => loss !== undefined);
  assert.equal(
    entries.map((entry) => entry['rewards/mean']),
    [10, 10],
  );
  assert.equal(
    entries.map(({ once }) => once),
    [undefined, 5],
  );
});

test("an objective's figure is divided by its own sum, not by the loss's weight", async () => {
  const evaluated: number[] = [];
  const { result } = await fit({
    config: { outputDir: temporaryFolder() },
    train: tinySamples(4),
    evaluation: tinySamples(3),
    objective: withRatio,
    options: {
      maxSteps: 1,
      loggingSteps: 1,
      gradientAccumulationSteps: 2,
      perDeviceTrainBatchSize: 2,
      perDeviceEvalBatchSize: 2,
    },
    tap: (hooks) => {
      hooks.onEvaluate.tap(({ metrics }) => {
        evaluated.push(metrics['share']!);
      });
    },
  });
  const [entry] = result.log.filter(({ loss }) => loss !== undefined);
  assert.is(entry!['share'], 4 / 10); // two micro-batches of 2 rows
  assert.is(evaluated.at(-1), 3 / 8); // one of 2 rows and one of 1
});

test.run();
