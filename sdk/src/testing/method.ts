// What every method of training must do, as checks: parameters, training, saving and restoring,
// resuming, refusals, and the same model whatever the order of the plugins.
import { mkdtemp } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { isLMFlowError } from '../errors.ts';
import { sizeOf } from '../graph/index.ts';
import type { Model } from '../model/model.ts';
import type { ModelRequest } from '../model/services.ts';
import { definePlugin, type Pluggable, type Resolve } from '../plugin.ts';
import type { Samples } from '../samples.ts';
import { LANGUAGE_MODELING, MODELS, TRAINER } from '../tokens.ts';
import type { FitResult } from '../training.ts';
import { claim, rejection, type Check } from './check.ts';
import { writeTinyModel } from './tiny-model.ts';

/** The part of a kernel that the suite uses. */
export interface MethodKernel {
  readonly resolve: Resolve;
  close(): Promise<void>;
}

/** A method of training, and what is expected of it. */
export interface MethodTest {
  /**
   * Makes a kernel of these plugins, in this order, and of what every method needs: an engine,
   * models, a trainer, the objective LANGUAGE_MODELING.
   */
  readonly createKernel: (
    plugins: readonly Pluggable[],
    config: Readonly<Record<string, unknown>>,
  ) => Promise<MethodKernel>;
  /** The method's own plugins; none where it is training itself. */
  readonly plugins: readonly Pluggable[];
  /** Configuration of every run: the method's options. */
  readonly config?: Readonly<Record<string, unknown>>;
  /** The names of the parameters it declares match this. */
  readonly parameters: RegExp;
  /** How its output is loaded again: configuration, and the model where that is the output. */
  readonly restore: (outputDir: string) => {
    readonly source?: string;
    readonly config?: Readonly<Record<string, unknown>>;
  };
  /** Largest difference of the loss after restoring; default 1e-6. */
  readonly tolerance?: number;
  /** Configurations that it refuses, with the error's code. */
  readonly refusals?: readonly {
    readonly code: string;
    readonly config?: Readonly<Record<string, unknown>>;
    /** Plugins beside its own. */
    readonly plugins?: readonly Pluggable[];
  }[];
  /** Plugins that it is combined with: every order gives the same training. */
  readonly stack?: readonly Pluggable[];
}

/** The checks that every method of training passes. */
export function methodSuite(method: MethodTest): Check[] {
  const runs = new MethodRuns(method);
  return [
    { name: 'declares parameters for training alone', run: () => checkParameters(runs) },
    { name: 'trains, saves, and restores the same loss', run: () => checkRestoring(runs) },
    { name: 'resumes as if it had not been interrupted', run: () => checkResuming(runs) },
    ...(method.refusals ?? []).map(({ code, config = {}, plugins = [] }) => ({
      name: `refuses what is ${code}`,
      run: async () => {
        const error = await rejection(code, runs.fit(config, [...method.plugins, ...plugins]));
        claim(
          isLMFlowError(error) && error.code === code,
          `${code} was expected, not ${String(error)}`,
        );
      },
    })),
    { name: 'trains the same in any order of the plugins', run: () => checkOrders(runs) },
  ];
}

interface Fit {
  readonly result: FitResult;
  readonly parameters: ReadonlyMap<string, Float32Array>;
  /** Of the samples, after the training. */
  readonly loss: number;
  readonly outputDir: string;
}

/** Trainings of a method on the tiny model. */
class MethodRuns {
  readonly method: MethodTest;
  #source: Promise<string> | undefined;

  constructor(method: MethodTest) {
    this.method = method;
  }

  /** Four steps, unless `config` or `stopAt` say otherwise. */
  async fit(
    config: Readonly<Record<string, unknown>> = {},
    plugins: readonly Pluggable[] = this.method.plugins,
    stopAt?: number,
  ): Promise<Fit> {
    const outputDir = await mkdtemp(join(tmpdir(), 'lmflow-method-'));
    return this.with({ outputDir, ...config }, [...plugins, stopping(stopAt)()], async (kernel) => {
      const model = await this.load(kernel, 'training');
      const [trainer, objective] = [kernel.resolve(TRAINER), kernel.resolve(LANGUAGE_MODELING)];
      const result = await trainer.fit({ model, train: SAMPLES, objective });
      return {
        result,
        parameters: copyOf(model),
        loss: await this.loss(kernel, model),
        outputDir: result.outputDir,
      };
    });
  }

  async with<T>(
    config: Readonly<Record<string, unknown>>,
    plugins: readonly Pluggable[],
    work: (kernel: MethodKernel) => Promise<T>,
  ): Promise<T> {
    const kernel = await this.method.createKernel(plugins, {
      ...CONFIG,
      ...this.method.config,
      ...config,
    });
    try {
      return await work(kernel);
    } finally {
      await kernel.close();
    }
  }

  async load(
    kernel: MethodKernel,
    purpose: ModelRequest['purpose'],
    source?: string,
  ): Promise<Model> {
    this.#source ??= writeTinyModel();
    const request = { role: 'policy', purpose, source: source ?? (await this.#source) } as const;
    return kernel.resolve(MODELS).load(request);
  }

  async loss(kernel: MethodKernel, model: Model): Promise<number> {
    const figures = await kernel.resolve(TRAINER).evaluate({
      model,
      samples: SAMPLES,
      objective: kernel.resolve(LANGUAGE_MODELING),
    });
    return figures['loss']!;
  }
}

const CONFIG = {
  perDeviceTrainBatchSize: 2,
  perDeviceEvalBatchSize: 2,
  maxSteps: 4,
  learningRate: 1e-2,
  warmupSteps: 0,
  saveSteps: 2,
} as const;

/** Twelve samples of made-up tokens. */
const SAMPLES: Samples = {
  length: 12,
  fingerprint: 'method-suite',
  statistics: { samples: 12, tokens: 120, trainedTokens: 108, truncated: 0, dropped: 0 },
  lengthOf: () => 10,
  get: (index) => {
    const inputIds = Int32Array.from(
      { length: 10 },
      (_, place) => 2 + ((7 * index + 3 * place * place) % 30),
    );
    return { inputIds, labels: inputIds };
  },
};

function stopping(step: number | undefined): () => ReturnType<ReturnType<typeof definePlugin>> {
  return definePlugin({
    name: '@lmflow/sdk/testing/stopping',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: ({ hooks }) => {
      hooks.onStep.tap(({ number, control }) => {
        if (number !== step) return;
        control.save = true;
        control.stop = true;
      });
    },
  });
}

function copyOf(model: Model): ReadonlyMap<string, Float32Array> {
  return new Map([...model.parameters].map(([name, { data }]) => [name, data.slice()]));
}

async function checkParameters(runs: MethodRuns): Promise<void> {
  const { plugins, parameters } = runs.method;
  await runs.with({}, plugins, async (kernel) => {
    const model = await runs.load(kernel, 'training');
    claim(model.parameters.size > 0, 'no parameter is declared');
    for (const [key, { name, shape, data }] of model.parameters) {
      claim(parameters.test(name), `the parameter ${name} does not match ${String(parameters)}`);
      claim(key === name, `the parameter ${name} is declared as ${key}`);
      claim(data.length === sizeOf(shape), `${name} [${shape.join()}] has ${data.length} numbers`);
    }
    const used = await runs.load(kernel, 'inference');
    claim(used.parameters.size === 0, 'parameters are declared for inference too');
  });
}

async function checkRestoring(runs: MethodRuns): Promise<void> {
  const { method } = runs;
  const [before, { loss, outputDir }] = [await runs.fit({ maxSteps: 1 }), await runs.fit()];
  claim(Number.isFinite(loss), `the loss is ${loss}`);
  claim(loss < before.loss, `the loss after four steps is ${loss}, after one ${before.loss}`);
  const { source, config } = method.restore(outputDir);
  const restored = await runs.with(config ?? {}, method.plugins, async (kernel) =>
    runs.loss(kernel, await runs.load(kernel, 'training', source)),
  );
  claim(
    Math.abs(restored - loss) <= (method.tolerance ?? 1e-6),
    `the loss is ${restored} after restoring, ${loss} before`,
  );
}

async function checkResuming(runs: MethodRuns): Promise<void> {
  const straight = await runs.fit();
  const outputDir = await mkdtemp(join(tmpdir(), 'lmflow-method-'));
  const first = await runs.fit({ outputDir }, runs.method.plugins, 2);
  claim(first.result.stoppedEarly, 'the training did not stop at a step that asked for it');
  const resumed = await runs.fit({ outputDir, resumeFromCheckpoint: true });
  claim(
    resumed.result.trainLoss === straight.result.trainLoss,
    `the loss is ${resumed.result.trainLoss} resumed, ${straight.result.trainLoss} straight on`,
  );
  sameParameters('resumed', resumed, straight);
}

async function checkOrders(runs: MethodRuns): Promise<void> {
  const { plugins, stack = [] } = runs.method;
  const [first, ...others] = permutations([...plugins, ...stack]);
  const expected = await runs.fit({ maxSteps: 1 }, first);
  for (const [index, order] of others.entries()) {
    sameParameters(`order ${index + 1}`, await runs.fit({ maxSteps: 1 }, order), expected);
  }
}

function sameParameters(what: string, { parameters }: Fit, expected: Fit): void {
  const names = [...expected.parameters.keys()].sort().join();
  claim([...parameters.keys()].sort().join() === names, `${what}: other parameters are trained`);
  for (const [name, data] of parameters) {
    const other = expected.parameters.get(name)!;
    const place = data.findIndex((number, index) => number !== other[index]);
    claim(place < 0, `${what}: ${name} at ${place} is ${data[place]}, not ${other[place]}`);
  }
}

function permutations<T>(items: readonly T[]): T[][] {
  if (items.length === 0) return [[]];
  return items.flatMap((item, index) =>
    permutations([...items.slice(0, index), ...items.slice(index + 1)]).map((rest) => [
      item,
      ...rest,
    ]),
  );
}
