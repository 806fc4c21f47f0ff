// What the trainer's tests share: an engine that is the interpreter, a model of two matrices,
// samples, and a run in a temporary folder.
import { mkdtempSync, rmSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import {
  definePlugin,
  ENGINE,
  OPTIMIZERS,
  SCHEDULES,
  TRAINER,
  type Config,
  type Engine,
  type FitRequest,
  type FitResult,
  type Hooks,
  type Objective,
  type PluginContext,
  type Sample,
  type Samples,
  type Tensor,
  type Trainer,
} from '@lmflow/sdk';
import { loadParameter, storeParameter, type Model, type Trace } from '@lmflow/sdk/model';
import {
  cast,
  concat,
  gather,
  interpret,
  less,
  linearCrossEntropy,
  mul,
  ndarray,
  reshape,
  slice,
  where,
  equal,
  type Graph,
  type TypedArray,
  type Value,
} from '@lmflow/sdk/graph';
import { createTestKernel, type CapturedLog } from 'lmflow/testing';
import optimizers from '@lmflow/plugin-optimizers';
import trainer, { type TrainerInput } from '../src/index.ts';
import { optimizersByName } from '../src/update/optimizer-arguments.ts';

export const VOCABULARY = 12;
export const WIDTH = 4;

function tensorOf(data: TypedArray, shape: readonly number[], dtype: Tensor['dtype']): Tensor {
  return { dtype, shape, location: 'cpu', read: async () => data, dispose: () => undefined };
}

/** Runs programs on the float64 interpreter. `compiled` counts programs that are not disposed. */
export function interpreterEngine(): Engine & {
  readonly compiled: Set<string>;
  readonly everCompiled: string[];
} {
  const compiled = new Set<string>();
  const everCompiled: string[] = [];
  return {
    name: 'interpreter',
    device: 'cpu',
    compiled,
    everCompiled,
    upload: async (data, shape, dtype) => tensorOf(data, shape, dtype),
    compile: async (graph: Graph, options = {}) => {
      const key = `${options.name ?? ''} #${everCompiled.length}`;
      compiled.add(key);
      everCompiled.push(key);
      return {
        run: async (inputs) => {
          const given = Object.fromEntries(
            await Promise.all(
              Object.entries(inputs).map(
                async ([name, tensor]) =>
                  [name, ndarray(tensor.shape, (await tensor.read()) as Float32Array)] as const,
              ),
            ),
          );
          const results = interpret(graph, given);
          return Object.fromEntries(
            [...graph.outputs].map(([name, value]) => [
              name,
              tensorOf(Float32Array.from(results[name]!.data), value.shape, value.dtype),
            ]),
          );
        },
        dispose: async () => {
          compiled.delete(key);
        },
      };
    },
    devices: async () => [],
  };
}

/** Deterministic numbers around zero. */
export function noise(count: number, seed: number, scale = 0.5): Float32Array {
  let state = seed >>> 0 || 1;
  return Float32Array.from({ length: count }, () => {
    state = (Math.imul(state, 1664525) + 1013904223) >>> 0;
    return scale * (state / 2147483648 - 1);
  });
}

/** Two trainable matrices: an embedding and a head. */
export function tinyModel(): Model {
  const shape = [VOCABULARY, WIDTH];
  const weights = new Map(
    ['embedding', 'head'].map((name, index) => [
      name,
      {
        kind: 'memory' as const,
        dtype: 'float32' as const,
        shape,
        data: noise(VOCABULARY * WIDTH, index + 1),
      },
    ]),
  );
  const parameters = new Map(
    [...weights].map(([name, { data }]) => [
      name,
      { name, shape, data: data.slice(), decay: name === 'head' },
    ]),
  );
  return {
    role: 'policy',
    source: 'tiny',
    folder: '',
    config: {},
    weights,
    parameters,
    linears: [],
    architecture: {
      family: 'tiny',
      hiddenSize: WIDTH,
      intermediateSize: 0,
      numLayers: 0,
      numHeads: 1,
      numKeyValueHeads: 1,
      headDim: WIDTH,
      vocabularySize: VOCABULARY,
      maxPositions: 32,
      normEpsilon: 0,
      tiedEmbeddings: false,
    },
    tokenizer: undefined as never,
    build: {} as never,
    wraps: [],
    claims: [],
    read: async (name) => weights.get(name)!.data,
  };
}

/** A token predicts the next one from its own embedding alone. */
export const tinyObjective: Objective = {
  name: 'tiny',
  build: (trace) => {
    const loss = lossOf(trace, reshape(shifted(trace), [trace.batchSize * trace.length]));
    return { loss, metrics: { doubled: mul(loss, 2) } };
  },
  weight: (batch) => batch.trainedTokens,
  figures: ({ loss }) => ({ perplexity: Math.exp(loss!) }),
  // Not the model's distribution, but labels that change with the numbers.
  buildSampled: (trace, uniform) => {
    const targets = reshape(shifted(trace), [trace.batchSize * trace.length]);
    const drawn = cast(mul(uniform(targets.shape), VOCABULARY), 'int32');
    return {
      loss: lossOf(
        trace,
        where(less(targets, trace.graph.constant(Int32Array.of(0), [], 'int32')), targets, drawn),
      ),
    };
  },
};

function lossOf(trace: Trace, labels: Value): Value {
  const weight = (name: string): Value =>
    trace.graph.input(`parameter:${name}`, 'float32', [VOCABULARY, WIDTH]);
  const hidden = gather(weight('embedding'), reshape(trace.input('inputIds'), labels.shape));
  return linearCrossEntropy(dropped(trace, hidden), weight('head'), labels);
}

function dropped(trace: Trace, hidden: Value): Value {
  if (trace.mode !== 'training' || (trace.model.config['dropout'] ?? 0) === 0) return hidden;
  const mask = trace.dropoutMask('hidden', hidden.shape, 0.25);
  const { graph } = trace;
  return where(
    equal(mask, graph.constant(Uint8Array.of(1), [], 'uint8')),
    mul(hidden, 1 / 0.75),
    0,
  );
}

function shifted(trace: Trace): Value {
  const { graph, batchSize, length, segments } = trace;
  const labels = trace.input('labels');
  const ignored = graph.constant(new Int32Array(batchSize).fill(-100), [batchSize, 1], 'int32');
  const after = (x: Value): Value => slice(x, [0, 1], [batchSize, length]);
  const before = (x: Value): Value => slice(x, [0, 0], [batchSize, length - 1]);
  const next = segments
    ? where(
        equal(before(segments), after(segments)),
        after(labels),
        graph.constant(Int32Array.of(-100), [1, 1], 'int32'),
      )
    : after(labels);
  return concat([next, ignored], 1);
}

/** Sequences of 4 to 11 tokens; the first two carry no label. */
export function tinySamples(count: number, seed = 5): Samples {
  const samples: Sample[] = Array.from({ length: count }, (_, index) => {
    const length = 4 + ((index * 7 + seed) % 8);
    const inputIds = Int32Array.from(
      noise(length, seed * 1000 + index, 1),
      (number) => Math.floor((number + 1) * (VOCABULARY / 2)) % VOCABULARY,
    );
    return { inputIds, labels: inputIds.map((id, place) => (place < 2 ? -100 : id)) };
  });
  return samplesOf(samples, `tiny ${count} ${seed}`);
}

export function samplesOf(samples: readonly Sample[], fingerprint = 'given'): Samples {
  const tokens = samples.reduce((total, { inputIds }) => total + inputIds.length, 0);
  return {
    length: samples.length,
    fingerprint,
    statistics: {
      samples: samples.length,
      tokens,
      trainedTokens: tokens,
      truncated: 0,
      dropped: 0,
    },
    get: (index) => samples[index]!,
    lengthOf: (index) => samples[index]!.inputIds.length,
  };
}

/** Saves and restores the parameters, as a method's plugin does. */
const method = definePlugin({
  name: 'test-method',
  version: '1.0.0',
  sdk: '^1.0.0',
  apply({ hooks }) {
    hooks.onSave.tap(async (checkpoint) => {
      await checkpoint.writeTensors(
        'model.safetensors',
        new Map(
          [...checkpoint.model.parameters].map(([name, parameter]) => [
            name,
            { shape: parameter.shape, data: () => loadParameter(parameter) },
          ]),
        ),
      );
    });
    hooks.onRestore.tap(async (checkpoint) => {
      const tensors = await checkpoint.readTensors('model.safetensors');
      for (const parameter of checkpoint.model.parameters.values()) {
        await storeParameter(parameter, tensors!.get(parameter.name)!.data);
      }
    });
  },
});

export interface RunRequest extends Partial<FitRequest> {
  readonly options?: TrainerInput;
  readonly config?: Partial<Config>;
  readonly engine?: Engine;
  /** Leave the plugin out that restores the parameters. */
  readonly withoutMethod?: boolean;
  readonly tap?: (hooks: Hooks) => void;
  /** What another plugin adds in its `apply`. */
  readonly contribute?: (context: PluginContext) => void;
}

export interface RunOutcome {
  readonly result: FitResult;
  readonly model: Model;
  readonly log: CapturedLog;
}

/** Trains the tiny model in a kernel of its own. */
export async function fit(request: RunRequest): Promise<RunOutcome> {
  return withTrainer(request, async (resolved, model, log) => {
    const {
      options: _options,
      config: _config,
      engine: _engine,
      withoutMethod: _method,
      tap: _tap,
      contribute: _contribute,
      ...rest
    } = request;
    const result = await resolved.fit({
      train: tinySamples(10),
      objective: tinyObjective,
      ...rest,
      model,
    });
    return { result, model, log };
  });
}

/** Gives a kernel's trainer to `use`; an error carries the model and the log. */
export async function withTrainer<T>(
  request: RunRequest,
  use: (trainer: Trainer, model: Model, log: CapturedLog) => Promise<T>,
): Promise<T> {
  const {
    options = {},
    config = {},
    engine = interpreterEngine(),
    withoutMethod = false,
    tap,
    contribute,
    model = tinyModel(),
  } = request;
  const engines = definePlugin({
    name: 'test-engine',
    version: '1.0.0',
    sdk: '^1.0.0',
    apply: (context) => {
      context.provide(ENGINE, () => engine);
      tap?.(context.hooks);
      contribute?.(context);
    },
  });
  const { kernel, log } = await createTestKernel({
    plugins: [
      engines(),
      optimizers(),
      trainer({ padToMultipleOf: 4, ...options }),
      ...(withoutMethod ? [] : [method()]),
    ],
    config,
  });
  try {
    return await use(kernel.resolve(TRAINER), model, log);
  } catch (error) {
    throw Object.assign(error as Error, { log, model });
  } finally {
    await kernel.close();
  }
}

const tables = await createTestKernel({ plugins: [optimizers()] });
/** The rows of plugin optimizers, by their names in `optim` and `lrSchedulerType`. */
export const OPTIMIZER_ROWS = optimizersByName(tables.kernel.rows(OPTIMIZERS));
export const SCHEDULE_ROWS = tables.kernel.rows(SCHEDULES);

/** A folder that is removed when the process ends. */
export function temporaryFolder(): string {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-trainer-'));
  folders.push(folder);
  return folder;
}

const folders: string[] = [];
process.on('exit', () => {
  for (const folder of folders) rmSync(folder, { recursive: true, force: true });
});

/** All parameters as one array, for comparing bits. */
export function bitsOf({ parameters }: Model): number[] {
  return [...parameters.values()].flatMap(({ data }) => [
    ...new Uint32Array(data.buffer, data.byteOffset, data.length),
  ]);
}

/** What an error's code is when a promise is rejected. */
export async function codeOf(promise: Promise<unknown>): Promise<string> {
  try {
    await promise;
  } catch (error) {
    return (error as { readonly code?: string }).code ?? String(error);
  }
  return 'no error';
}
