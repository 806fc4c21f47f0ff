// How far the product is from the references, as numbers: the tests hold them to bounds, report.ts
// prints them for docs/parity.md.
import { mkdtempSync, readdirSync, renameSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { ENGINE, LANGUAGE_MODELING, TRAINER, type Sample, type Samples } from '@lmflow/sdk';
import { grad } from '@lmflow/sdk/graph';
import {
  ADAPTER_PLUGINS,
  FIXTURES,
  feeds,
  json,
  largestDifference,
  load,
  logitsOf,
  modelFolder,
  tensors,
  traceOf,
  withKernel,
} from './family.ts';

const VOCABULARY = 96;

/** Every family, in each style of config.json it has. */
export function familyCases(): { readonly family: string; readonly style: string }[] {
  return readdirSync(join(FIXTURES, 'families')).flatMap((family) =>
    readdirSync(join(FIXTURES, 'families', family))
      .filter((file) => file.startsWith('config.'))
      .map((style) => ({ family, style })),
  );
}

/** Families whose fixtures have gradients. */
export function gradientFamilies(): string[] {
  return readdirSync(join(FIXTURES, 'families')).filter(
    (family) =>
      Object.keys(
        json<{ gradient_norms?: object }>('families', family, 'reference.json').gradient_norms ??
          {},
      ).length > 0,
  );
}

/** Largest difference of the logits of unpadded tokens. */
export async function logitsDifference(family: string, style: string): Promise<number> {
  const reference = await tensors('families', family, 'reference.safetensors');
  const folder = modelFolder(family);
  if (style !== 'config.json') renameSync(join(folder, style), join(folder, 'config.json'));
  return withKernel('finetune', {}, async (kernel) => {
    const model = await load(kernel, folder, 'inference');
    const differences: number[] = [];
    for (const prefix of reference.has('short.logits') ? ['', 'short.'] : ['']) {
      const logits = await logitsOf(kernel, model, reference.get(`${prefix}input_ids`)!.data, 2);
      differences.push(
        largestDifference(
          logits,
          reference.get(`${prefix}logits`)!.data,
          reference.get(`${prefix}attention_mask`)!.data,
          VOCABULARY,
        ),
      );
    }
    return Math.max(...differences);
  });
}

export interface GradientFigure {
  readonly name: string;
  readonly norm: number;
  readonly error: number;
}

/** The loss against PyTorch's, and each gradient's error and norm. */
export async function gradientFigures(
  family: string,
): Promise<{ readonly lossDifference: number; readonly gradients: GradientFigure[] }> {
  const reference = await tensors('families', family, 'reference.safetensors');
  const { loss: expected } = json<{ loss: number }>('families', family, 'reference.json');
  return withKernel('finetune', {}, async (kernel) => {
    const model = await load(kernel, modelFolder(family), 'training');
    const labels = reference.get('labels')!.data;
    const length = labels.length / 2;
    const trace = traceOf(model, 2, length, 'training');
    const { loss } = kernel.resolve(LANGUAGE_MODELING).build(trace);
    const names = [...model.parameters.keys()];
    trace.graph.output('loss', loss);
    grad(
      loss,
      names.map((name) => trace.graph.inputs.get(`parameter:${name}`)!),
    ).forEach((gradient, index) => {
      trace.graph.output(names[index]!, gradient);
    });
    const program = await kernel.resolve(ENGINE).compile(trace.graph);
    const results = await program.run(
      await feeds(kernel, trace, { inputIds: reference.get('input_ids')!.data, labels }),
    );
    const count = labels.reduce(
      (sum, label, index) => sum + Number(label >= 0 && index % length > 0),
      0,
    );
    const found = ((await results['loss']!.read()) as Float32Array)[0]! / count;
    const missing = [...reference.keys()].filter(
      (key) => key.startsWith('grad.') && !names.includes(key.slice('grad.'.length)),
    );
    if (missing.length > 0) throw new Error(`no parameter for ${missing.join(', ')}`);
    const gradients = await Promise.all(
      names.map(async (name) => {
        const gradient = (await results[name]!.read()) as Float32Array;
        const wanted = reference.get(`grad.${name}`)!.data;
        return {
          name,
          norm: Math.hypot(...wanted),
          error: Math.hypot(...wanted.map((number, index) => number - gradient[index]! / count)),
        };
      }),
    );
    return { lossDifference: Math.abs(found - expected), gradients };
  });
}

interface Run {
  readonly train: readonly {
    readonly input_ids: readonly number[];
    readonly labels: readonly number[];
  }[];
  readonly order: readonly (readonly number[])[];
  readonly settings: {
    readonly learning_rate: number;
    readonly weight_decay: number;
    readonly warmup_steps: number;
    readonly max_grad_norm: number;
    readonly loraplus_lr_ratio?: number;
    readonly loraplus_lr_embedding?: number;
  };
}

export interface StepFigures {
  /** Largest differences over the 20 steps; that of the norm is relative. */
  readonly loss: number;
  readonly gradientNorm: number;
  readonly learningRate: number;
  readonly steps: number;
  /** Of the logits after the last step. */
  readonly logits: number;
}

/** Twenty optimizer steps through the product's own training loop against PyTorch (+ PEFT). */
export async function stepFigures(family: string, method: string): Promise<StepFigures> {
  const path = ['steps', family, method] as const;
  const { settings, ...run } = json<Run>(...path, 'run.json');
  const expected = json<{ loss: number[]; grad_norm: number[]; learning_rate: number[] }>(
    ...path,
    'reference.json',
  );
  const reference = await tensors(...path, 'reference.safetensors');
  const config = {
    outputDir: mkdtempSync(join(tmpdir(), 'lmflow-steps-')),
    perDeviceTrainBatchSize: 2,
    maxSteps: expected.loss.length,
    trainSamplingStrategy: 'sequential',
    learningRate: settings.learning_rate,
    weightDecay: settings.weight_decay,
    lrSchedulerType: 'linear',
    warmupSteps: settings.warmup_steps,
    maxGradNorm: settings.max_grad_norm,
    loggingSteps: 1,
    saveStrategy: 'no',
    ...methodConfig(method, join(FIXTURES, ...path, 'initial'), settings),
  };
  const preset = method === 'full' || method in ADAPTER_PLUGINS ? 'finetune' : 'lora';
  return withKernel(preset, config, async (kernel) => {
    const model = await load(kernel, modelFolder(family), 'training');
    const { log } = await kernel
      .resolve(TRAINER)
      .fit({ model, train: inOrder(run), objective: kernel.resolve(LANGUAGE_MODELING) });
    const steps = log.filter((entry) => 'grad_norm' in entry);
    const largest = (
      difference: (entry: Readonly<Record<string, number>>, index: number) => number,
    ): number => Math.max(...steps.map((entry, index) => Math.abs(difference(entry, index))));
    const ids = reference.get('input_ids')!;
    const logits = await logitsOf(kernel, model, ids.data, ids.shape[0]!);
    return {
      steps: steps.length,
      loss: largest((entry, index) => entry['loss']! - expected.loss[index]!),
      gradientNorm: largest((entry, index) => entry['grad_norm']! / expected.grad_norm[index]! - 1),
      learningRate: largest(
        (entry, index) => entry['learning_rate']! - expected.learning_rate[index]!,
      ),
      logits: largestDifference(
        logits,
        reference.get('logits')!.data,
        reference.get('attention_mask')!.data,
        VOCABULARY,
      ),
    };
  });
}

/** The settings with which a method begins from PEFT's adapter. */
function methodConfig(
  method: string,
  adapter: string,
  { loraplus_lr_ratio: ratio, loraplus_lr_embedding: embedding }: Run['settings'],
): Record<string, unknown> {
  if (method === 'full') return {};
  const plugin = ADAPTER_PLUGINS[method];
  if (plugin) return { plugins: [plugin], [method]: { adapter } };
  const rates = {
    ...(ratio === undefined ? {} : { loraplusLrRatio: ratio }),
    ...(embedding === undefined ? {} : { loraplusLrEmbedding: embedding }),
  };
  return { lora: { adapter, ...rates } };
}

/**
 * The samples of every step, one after the other: read in sequence they are the reference's
 * batches.
 */
function inOrder({ train, order }: Pick<Run, 'train' | 'order'>): Samples {
  const samples = order.flat().map((index): Sample => ({
    inputIds: Int32Array.from(train[index]!.input_ids),
    labels: Int32Array.from(train[index]!.labels),
  }));
  const count = (keep: (label: number) => boolean): number =>
    samples.reduce((sum, { labels }) => sum + labels.filter(keep).length, 0);
  return {
    length: samples.length,
    fingerprint: 'steps',
    get: (index) => samples[index]!,
    lengthOf: (index) => samples[index]!.inputIds.length,
    statistics: {
      samples: samples.length,
      tokens: count(() => true),
      trainedTokens: count((label) => label >= 0),
      truncated: 0,
      dropped: 0,
    },
  };
}
