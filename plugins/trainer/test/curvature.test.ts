// An optimizer that estimates curvature (Sophia) in the training loop: when the estimate is made,
// over what, and what it needs.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine, Objective } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import { trainerOptions, type TrainerInput } from '../src/options.ts';
import { Updater } from '../src/update/updater.ts';
import {
  bitsOf,
  codeOf,
  fit,
  interpreterEngine,
  OPTIMIZER_ROWS,
  temporaryFolder,
  tinyModel,
  tinyObjective,
  tinySamples,
  type RunOutcome,
  type RunRequest,
} from './kit.ts';

const options: TrainerInput = {
  optim: 'sophia',
  optimArgs: 'k=2',
  saveStrategy: 'no',
  loggingSteps: 1,
  learningRate: 0.05,
  perDeviceTrainBatchSize: 2,
  maxSteps: 5,
};
const run = (request: RunRequest = {}): Promise<RunOutcome> =>
  fit({
    ...request,
    options: { ...options, ...request.options },
    config: { outputDir: temporaryFolder(), ...request.config },
  });
const numbers = ({ model }: RunOutcome): number[] =>
  [...model.parameters.values()].flatMap(({ data }) => [...data]);
const unsampled: Objective = {
  name: 'unsampled',
  build: (trace) => tinyObjective.build(trace),
  weight: (batch) => tinyObjective.weight(batch),
};

/** Draws what the data says, whatever the numbers: the estimate is that of the gradient itself. */
const certain: Objective = {
  ...tinyObjective,
  buildSampled: (trace) => ({ loss: tinyObjective.build(trace).loss }),
};

test('labels are drawn anew for every estimate, from the seed', async () => {
  const optimArgs = 'k=2,rho=10'; // so that not every number of a step is the sign
  const [one, same, other] = [
    await run({ options: { optimArgs } }),
    await run({ options: { optimArgs } }),
    await run({ config: { seed: 7 }, options: { optimArgs, dataSeed: 42 } }),
  ];
  assert.equal(bitsOf(one.model), bitsOf(same.model));
  assert.not.equal(bitsOf(one.model), bitsOf(other.model));
});

test('the program with drawn labels runs for every micro-batch of steps 1, 1 + k, ...', async () => {
  const steps: number[] = [];
  let step = 0;
  const engine = interpreterEngine();
  const counting: Engine = {
    ...engine,
    compile: async (graph, given) => {
      const program = await engine.compile(graph, given);
      const isSampled = given?.name?.startsWith('sampled') === true;
      return {
        dispose: () => program.dispose(),
        run: (inputs) => {
          if (isSampled) steps.push(step);
          return program.run(inputs);
        },
      };
    },
  };
  await run({
    engine: counting,
    options: { gradientAccumulationSteps: 2, perDeviceTrainBatchSize: 1 },
    tap: (hooks) => {
      hooks.onStepStart.tap(({ number }) => {
        step = number;
      });
    },
  });
  assert.equal(steps, [1, 1, 3, 3, 5, 5]);
});

test('the estimate is that of the mean over all micro-batches, clipped as the gradient is', async () => {
  const train = tinySamples(12);
  for (const maxGradNorm of [0, 0.05]) {
    const [small, large] = [
      await run({
        train,
        objective: certain,
        options: { perDeviceTrainBatchSize: 1, gradientAccumulationSteps: 4, maxGradNorm },
      }),
      await run({
        train,
        objective: certain,
        options: { perDeviceTrainBatchSize: 4, gradientAccumulationSteps: 1, maxGradNorm },
      }),
    ];
    numbers(small).forEach((number, index) => {
      assert.ok(
        Math.abs(number - numbers(large)[index]!) < 1e-5,
        `${index}: ${number} and ${numbers(large)[index]}`,
      );
    });
  }
});

test('one step by hand', async () => {
  const start = tinyModel();
  const gradients = new Map<string, Float32Array>();
  let weight = 0;
  const { model } = await run({
    objective: certain,
    options: {
      maxSteps: 1,
      maxGradNorm: 0,
      weightDecay: 0.5,
      lrSchedulerType: 'constant',
      optimArgs: 'rho=3',
    },
    tap: (hooks) => {
      hooks.onBatch.tap(async (batch, step) => {
        if (step.mode !== 'training' || step.number !== 1) return batch;
        for (const [name, data] of (await step.gradients!(batch)).gradients) {
          gradients.set(name, data.slice());
        }
        weight = batch.trainedTokens;
        return batch;
      });
    },
  });
  for (const [name, { data, decay }] of model.parameters) {
    const before = start.parameters.get(name)!.data;
    data.forEach((number, index) => {
      const g = gradients.get(name)![index]! / weight;
      const wanted =
        before[index]! * (decay ? 1 - 0.05 * 0.5 : 1) -
        0.05 *
          Math.sign(g) *
          Math.min(1, Math.abs(0.035 * g) / (3 * 0.01 * weight * g * g + 1e-15));
      assert.ok(Math.abs(number - wanted) < 1e-6, `${name} ${index}: ${number} and ${wanted}`);
    });
  }
});

test('a parameter that is not active has no estimate', async () => {
  const parameters: Parameter[] = ['a', 'b'].map((name) => ({
    name,
    shape: [2],
    data: Float32Array.of(1, 2),
    decay: true,
  }));
  const updater = new Updater(
    OPTIMIZER_ROWS.get('sophia')!,
    interpreterEngine(),
    trainerOptions.parse({ optim: 'sophia' }),
  );
  await updater.estimate({
    parameters,
    gradients: new Map([['a', Float32Array.of(1, 1)]]),
    gradientScale: 1,
    weight: 1,
  });
  assert.equal([...updater.save().keys()], ['a.step', 'a.exp_avg', 'a.hessian']);
  assert.ok(Math.abs(updater.save().get('a.hessian')!.data[0]! - 0.01) < 1e-8);
});

test('an objective without drawn labels, and steps that are none, are refused before the plan', async () => {
  assert.is(await codeOf(run({ objective: unsampled })), 'LMFLOW_CONFIG_OPTIMIZER_OBJECTIVE');
  for (const optimArgs of ['k=0', 'k=1.5']) {
    assert.is(await codeOf(run({ options: { optimArgs } })), 'LMFLOW_CONFIG_OPTIMIZER_ARGUMENT');
  }
  assert.is(
    (await run({ objective: unsampled, options: { optim: 'lion', optimArgs: {} } })).result.steps,
    5,
  );
});

test.run();
