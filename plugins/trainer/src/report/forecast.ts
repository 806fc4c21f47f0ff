// Estimates before the first step what a run takes: parameters, tokens, memory. plan-table.ts
// prints it.
import type { Batch, Hooks, MemoryPlan, OpenRequest } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { BYTES, sizeOf, type Graph, type Shape } from '@lmflow/sdk/graph';
import { collate, type CollateOptions } from '../data/collate.ts';
import { figuresOf } from '../loop/figures.ts';
import { activationBytes, availableBytes } from '../loop/memory.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import { traceProgram, type ProgramMode } from '../loop/tracing.ts';
import type { Updater } from '../update/updater.ts';

export interface Forecast {
  readonly trainableParameters: number;
  readonly totalParameters: number;
  /** Mean over an epoch. */
  readonly tokensPerStep: number;
  readonly memory: MemoryPlan;
}

/**
 * Memory of the ONNX engine beside the activations, as measured: 75 MB for a session of a tiny model,
 * 350 MB with a vocabulary of 49,152, with LoRA and full finetuning, with and without checkpointing.
 * The estimate grows with the logits of a chunk of the loss, 128 rows of float32.
 */
const workspaceOf = ({ architecture }: Model): number =>
  75e6 + 11 * 4 * 128 * architecture.vocabularySize;

/**
 * Share of the activations that is lost in gaps of the process's heap between programs of several
 * shapes: up to 7% were measured.
 */
const GAPS = 0.07;

export interface ForecastRequest {
  readonly request: OpenRequest;
  readonly plan: RunPlan;
  readonly updater: Updater;
  readonly collating: CollateOptions;
  readonly hooks: Hooks;
}

/**
 * Counts parameters and estimates memory from the programs of the largest micro-batches, which go
 * through onBatch as step 0.
 */
export async function forecastRun(planned: ForecastRequest): Promise<Forecast> {
  const { request, hooks } = planned;
  const { model, data } = request;
  const counts = countParameters(model);
  const batches = await tapLargest(planned);
  let held: number | undefined;
  const memory = async (): Promise<MemoryPlan> => {
    const parts = memoryOf(planned, batches, counts);
    // Read once, since planning takes memory itself: plans with other settings stay comparable.
    held ??= process.memoryUsage().rss;
    const base = Math.max(0, held - 4 * counts.trainable) + workspaceOf(model);
    const total = sum(Object.values(parts)) + base;
    return { ...parts, process: base, total, available: availableBytes() };
  };
  await hooks.onPlan.promise({ model, memory });
  return {
    trainableParameters: counts.trainable,
    totalParameters: counts.total,
    tokensPerStep: data.tokensPerStep,
    memory: await memory(),
  };
}

interface ParameterCounts {
  readonly trainable: number;
  readonly active: number;
  readonly total: number;
}

function countParameters({ parameters, weights }: Model): ParameterCounts {
  const count = (tensors: Iterable<{ readonly shape: Shape }>): number =>
    sum([...tensors].map(({ shape }) => sizeOf(shape)));
  const all = [...parameters.values()];
  return {
    trainable: count(all),
    active: count(all.filter(({ active }) => active !== false)),
    total: count(weights.values()) + count(all.filter(({ name }) => !weights.has(name))),
  };
}

async function tapLargest({ request, plan, collating, hooks }: ForecastRequest): Promise<Batch[]> {
  const { model, data } = request;
  const control = { stop: false, save: false, evaluate: false, log: false };
  const batches: Batch[] = [];
  for (const samples of data.largest) {
    const batch = collate(samples, collating);
    batches.push(
      await hooks.onBatch.promise(batch, {
        number: 0,
        totalSteps: plan.totalSteps,
        epoch: 0,
        model,
        control,
        figures: figuresOf(() => ({})), // nothing is logged of a plan
        mode: 'training',
        batches: [batch],
      }),
    );
  }
  return batches;
}

/** Memory of the run, without the process and the engine. */
function memoryOf(
  { request, plan, updater }: ForecastRequest,
  batches: readonly Batch[],
  { trainable, active }: ParameterCounts,
): Pick<MemoryPlan, 'weights' | 'gradients' | 'optimizer' | 'activations'> {
  const { model, objective } = request;
  const modes: readonly ProgramMode[] = updater.estimatesAt(1)
    ? ['training', 'sampled']
    : ['training'];
  // One after the other, so that only one graph is in memory at a time.
  const programs = batches.flatMap((batch) =>
    modes.map((mode) => {
      const { graph } = traceProgram(model, objective, batch, mode);
      return { activations: activationBytes(graph), weights: frozenBytes(graph) };
    }),
  );
  const gaps = batches.length > 1 ? 1 + GAPS : 1;
  return {
    weights: Math.max(...programs.map(({ weights }) => weights)) + 4 * trainable,
    // The program writes its results into arrays that stay; several micro-batches also have a sum.
    gradients: 4 * active * (plan.options.gradientAccumulationSteps > 1 ? 2 : 1),
    optimizer: updater.stateBytes(model.parameters.values()),
    activations: Math.round(Math.max(...programs.map(({ activations }) => activations)) * gaps),
  };
}

// The frozen weights that a program uses (4-bit ones instead of their originals). 16-bit ones count
// as float32, since engines convert them unless the program casts them itself.
function frozenBytes({ weights }: Graph): number {
  return sum(
    [...weights.values()].map(
      ({ dtype, shape }) =>
        Math.max(BYTES[dtype], dtype === 'float16' || dtype === 'bfloat16' ? 4 : 0) * sizeOf(shape),
    ),
  );
}

function sum(numbers: readonly number[]): number {
  return numbers.reduce((total, number) => total + number, 0);
}
