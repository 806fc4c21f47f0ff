// Prints the plan before the first step: what is trained, for how long, and whether it fits into
// memory. The figures come from forecast.ts and run-plan.ts.
import type { Logger, OpenRequest } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { samplingStrategy } from '../data/sampler.ts';
import { formatBytes } from '../loop/memory.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import type { Forecast } from './forecast.ts';

/** What the table shows. */
export interface PlanTableRequest {
  readonly request: OpenRequest;
  readonly plan: RunPlan;
  readonly forecast: Forecast;
  /** The output folder, and what the run does to it. */
  readonly output: string;
}

/** Prints the plan; warns if the memory does not suffice. */
export function printPlan(table: PlanTableRequest, log: Logger): void {
  const { request, plan, forecast } = table;
  const { data, evaluation } = request;
  const { memory } = forecast;
  log.table('Plan', rowsOf(table));
  log.event('plan', {
    ...forecast,
    totalSteps: plan.totalSteps,
    stepsPerEpoch: plan.stepsPerEpoch,
    effectiveBatch: data.sequencesPerStep,
    samples: data.samples,
    evaluationSamples: evaluation?.length ?? 0,
    outputDir: plan.outputDir,
  });
  if (memory.total > memory.available) {
    log.warn(
      `the run may not fit into memory: it needs about ${formatBytes(memory.total)} of ` +
        `${formatBytes(memory.available)} available; lower perDeviceTrainBatchSize or ` +
        'blockSize, or set gradientCheckpointing',
    );
  }
}

function rowsOf({ request, plan, forecast, output }: PlanTableRequest): [string, string][] {
  const { data, evaluation } = request;
  const { options, totalSteps, stepsPerEpoch, warmupSteps } = plan;
  const { memory, trainableParameters: trainable, totalParameters: total } = forecast;
  const epochs = plan.epochAfter(totalSteps);
  const sizes = `${options.perDeviceTrainBatchSize} x ${options.gradientAccumulationSteps} accumulated`;
  const evaluated = evaluation ? `, ${count(evaluation.length)} to evaluate on` : '';
  const warmup = warmupSteps > 0 ? `, ${plural(warmupSteps, 'warmup step')}` : '';
  return [
    ['method', methodOf(request.model)],
    [
      'trainable parameters',
      `${count(trainable)} of ${count(total)} (${((100 * trainable) / total).toPrecision(3)}%)`,
    ],
    [
      'samples',
      `${count(data.samples)} to train on${evaluated}, order ${samplingStrategy(options)}`,
    ],
    [
      'steps',
      `${count(totalSteps)} (${plural(Number(epochs.toFixed(2)), 'epoch', epochs)} of ${count(stepsPerEpoch)})`,
    ],
    [
      'batch',
      `${data.sequencesPerStep} sequences a step (${sizes}), about ${count(data.tokensPerStep)} tokens`,
    ],
    [
      'optimizer',
      `${options.optim}, learning rate ${options.learningRate}, ${options.lrSchedulerType}${warmup}`,
    ],
    ['memory', `about ${formatBytes(memory.total)} of ${formatBytes(memory.available)} available`],
    [
      '',
      `weights ${formatBytes(memory.weights)}, gradients ${formatBytes(memory.gradients)}, ` +
        `optimizer ${formatBytes(memory.optimizer)}, activations ` +
        `${formatBytes(memory.activations)}, process ${formatBytes(memory.process)}`,
    ],
    ['output', output],
  ];
}

/** The method, and how frozen linears are computed. */
function methodOf(model: Model): string {
  const bases = [...new Set(model.claims.map(({ how }) => how))];
  const name = model.method?.name ?? `${model.parameters.size} parameters of plugins`;
  return bases.length === 0 ? name : `${name}, frozen linears ${bases.join(' and ')}`;
}

const count = (value: number): string => Math.round(value).toLocaleString('en');
const plural = (shown: number, noun: string, exact = shown): string =>
  `${shown} ${noun}${exact === 1 ? '' : 's'}`;
