// The plan, told before the first step: what is trained, for how long, and whether it fits into
// memory.
import type { Batch, FitRequest, Hooks, Logger, MemoryPlan, Samples } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { BYTES, sizeOf, type Graph } from '@lmflow/sdk/graph';
import { collate, type CollateOptions } from '../data/collate.ts';
import { activationBytes, availableBytes, formatBytes } from '../loop/memory.ts';
import { samplingStrategy, type DataOrder } from '../data/sampler.ts';
import type { RunSettings } from '../loop/run-plan.ts';
import { traceProgram, type ProgramMode } from '../loop/tracing.ts';
import type { Updater } from '../update/updater.ts';

export interface Plan {
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Mean over an epoch. */
  readonly tokensPerStep: number;
  readonly memory: MemoryPlan;
}

/**
 * What the ONNX engine takes beside the activations, as measured: a session of a tiny model 75 MB;
 * one with a vocabulary of 49,152 350 MB, LoRA and full finetuning, whatever is checkpointed. The
 * difference is taken to grow with the logits of a chunk of the loss, 128 rows of float32.
 */
const workspaceOf = ({ architecture }: Model): number =>
  75e6 + 11 * 4 * 128 * architecture.vocabularySize;

/**
 * Part of the activations that is lost between programs of several shapes, which leave gaps in the
 * process's heap: up to 7% were measured.
 */
const GAPS = 0.07;

export interface PlanRequest {
  readonly request: FitRequest;
  readonly settings: RunSettings;
  readonly order: DataOrder;
  readonly updater: Updater;
  readonly collating: CollateOptions;
  readonly hooks: Hooks;
}

/**
 * Counts parameters and estimates memory from the programs of the largest micro-batches, which go
 * through onBatch as step 0.
 */
export async function makePlan({
  request: { model, train, objective },
  settings,
  order,
  updater,
  collating,
  hooks,
}: PlanRequest): Promise<Plan> {
  const { options, totalSteps } = settings;
  const trainable = sum([...model.parameters.values()].map(({ shape }) => sizeOf(shape)));
  const active = sum(
    [...model.parameters.values()]
      .filter((parameter) => parameter.active !== false)
      .map(({ shape }) => sizeOf(shape)),
  );
  const added = sum(
    [...model.parameters.values()]
      .filter(({ name }) => !model.weights.has(name))
      .map(({ shape }) => sizeOf(shape)),
  );
  const inWeights = sum([...model.weights.values()].map(({ shape }) => sizeOf(shape)));
  const control = { stop: false, save: false, evaluate: false, log: false };
  const collated = largestBatches(train, options.perDeviceTrainBatchSize, collating);
  const largest: Batch[] = [];
  for (const batch of collated) {
    largest.push(
      await hooks.onBatch.promise(batch, {
        number: 0,
        totalSteps,
        epoch: 0,
        model,
        control,
        mode: 'training',
        batches: [batch],
      }),
    );
  }
  const modes: readonly ProgramMode[] = updater.estimatesAt(1)
    ? ['training', 'sampled']
    : ['training'];
  let held: number | undefined;
  const memory = async (): Promise<MemoryPlan> => {
    // One after the other, so that only one graph is there at a time.
    const programs = largest.flatMap((batch) =>
      modes.map((mode) => {
        const { graph } = traceProgram(model, objective, batch, mode);
        return { activations: activationBytes(graph), weights: frozenBytes(graph) };
      }),
    );
    const weights = Math.max(...programs.map((program) => program.weights)) + 4 * trainable;
    const optimizer = updater.stateBytes(model.parameters.values());
    // The program writes its results where they stay; over micro-batches there is their sum too.
    const gradients = 4 * active * (options.gradientAccumulationSteps > 1 ? 2 : 1);
    const activations = Math.round(
      Math.max(...programs.map((program) => program.activations)) *
        (largest.length > 1 ? 1 + GAPS : 1),
    );
    // Once, since planning takes memory itself: who compares one plan with another compares models.
    held ??= process.memoryUsage().rss;
    const base = Math.max(0, held - 4 * trainable) + workspaceOf(model);
    return {
      weights,
      gradients,
      optimizer,
      activations,
      process: base,
      total: weights + gradients + optimizer + activations + base,
      available: availableBytes(),
    };
  };
  await hooks.onPlan.promise({ model, memory });
  return {
    trainableParameters: trainable,
    totalParameters: inWeights + added,
    tokensPerStep: (meanLength(train) * order.samplesPerEpoch) / order.stepsPerEpoch,
    memory: await memory(),
  };
}

/** Prints the plan; warns where the memory does not suffice. */
export function tellPlan(
  plan: Plan,
  { request, settings, order }: PlanRequest,
  output: string,
  log: Logger,
): void {
  const { options, totalSteps } = settings;
  const { memory, trainableParameters, totalParameters } = plan;
  const count = (value: number): string => Math.round(value).toLocaleString('en');
  const epochs = totalSteps / order.stepsPerEpoch;
  const batch = Math.min(
    options.perDeviceTrainBatchSize * options.gradientAccumulationSteps,
    order.samplesPerEpoch,
  );
  log.table('Plan', [
    [
      'trainable parameters',
      `${count(trainableParameters)} of ${count(totalParameters)} (${((100 * trainableParameters) / totalParameters).toPrecision(3)}%)`,
    ],
    [
      'samples',
      `${count(request.train.length)} to train on${request.evaluation ? `, ${count(request.evaluation.length)} to evaluate on` : ''}, order ${samplingStrategy(options)}`,
    ],
    [
      'steps',
      `${count(totalSteps)} (${Number(epochs.toFixed(2))} epoch${epochs === 1 ? '' : 's'} of ${count(order.stepsPerEpoch)})`,
    ],
    [
      'batch',
      `${batch} sequences a step (${options.perDeviceTrainBatchSize} x ${options.gradientAccumulationSteps} accumulated), about ${count(plan.tokensPerStep)} tokens`,
    ],
    [
      'optimizer',
      `${options.optim}, learning rate ${options.learningRate}, ${options.lrSchedulerType}${settings.warmupSteps > 0 ? `, ${settings.warmupSteps} warmup step${settings.warmupSteps === 1 ? '' : 's'}` : ''}`,
    ],
    ['memory', `about ${formatBytes(memory.total)} of ${formatBytes(memory.available)} available`],
    [
      '',
      `weights ${formatBytes(memory.weights)}, gradients ${formatBytes(memory.gradients)}, optimizer ${formatBytes(memory.optimizer)}, activations ${formatBytes(memory.activations)}, process ${formatBytes(memory.process)}`,
    ],
    ['output', output],
  ]);
  log.event('plan', {
    ...plan,
    totalSteps,
    stepsPerEpoch: order.stepsPerEpoch,
    effectiveBatch: batch,
    samples: request.train.length,
    evaluationSamples: request.evaluation?.length ?? 0,
    outputDir: settings.outputDir,
  });
  if (memory.total > memory.available) {
    log.warn(
      `the run may not fit into memory: it needs about ${formatBytes(memory.total)}, ${formatBytes(memory.available)} are available; lower perDeviceTrainBatchSize or blockSize, or set gradientCheckpointing`,
    );
  }
}

// The frozen weights that a program uses (4-bit ones in place of those they are made from); 16-bit
// ones as float32: engines convert them, unless they are told to cast on the way.
function frozenBytes({ weights }: Graph): number {
  return sum(
    [...weights.values()].map(
      ({ dtype, shape }) =>
        Math.max(BYTES[dtype], dtype === 'float16' || dtype === 'bfloat16' ? 4 : 0) * sizeOf(shape),
    ),
  );
}

/**
 * The batch of the longest sample alone, and the largest one whose samples are joined, if there can
 * be one: it has fewer tokens, but attention over longer rows.
 */
function largestBatches(train: Samples, size: number, collating: CollateOptions): Batch[] {
  let [longest, shortest] = [0, 0];
  for (let index = 1; index < train.length; index++) {
    if (train.lengthOf(index) > train.lengthOf(longest)) longest = index;
    if (train.lengthOf(index) < train.lengthOf(shortest)) shortest = index;
  }
  const sample = train.get(longest);
  const others = Math.min(size, train.length) - 1;
  const batchOf = (length: number): Batch => {
    const shorter = {
      inputIds: sample.inputIds.subarray(0, length),
      labels: sample.labels.subarray(0, length),
    };
    return collate(
      [
        sample,
        ...Array.from({ length: others }, () =>
          length < sample.inputIds.length ? shorter : sample,
        ),
      ],
      collating,
    );
  };
  const padded = batchOf(sample.inputIds.length);
  if (!collating.join || sample.segments || others === 0) return [padded];
  const least = train.lengthOf(shortest);
  const step = Math.ceil(collating.multipleOf / others); // no length of a joined row is passed over
  for (let length = sample.inputIds.length; length > least;) {
    length = Math.max(least, length - step);
    const joined = batchOf(length);
    if (joined.tensors['segments']) return [padded, joined];
  }
  return [padded];
}

function meanLength({ length, statistics }: Samples): number {
  return statistics.tokens / Math.max(1, length);
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
