// README.md of the result: a model card with the data, the settings and the figures of this run.
// Its YAML head is written without a library: values are JSON, which is YAML.
import { basename, isAbsolute, resolve } from 'node:path';
import type { OpenRequest } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import type { Forecast } from './forecast.ts';
import { formatTime } from './reporter.ts';
import type { RunPlan } from '../loop/run-plan.ts';
import type { RunState } from '../loop/run-state.ts';

export interface CardRequest {
  readonly request: OpenRequest;
  readonly plan: RunPlan;
  readonly state: RunState;
  readonly forecast: Forecast;
  readonly evaluation: Readonly<Record<string, number>> | undefined;
  readonly engine: string;
  readonly version: string;
}

/**
 * The card. The request's `description` becomes its facts; `description.frontMatter` (an object) is
 * added to the YAML head, and `description.title` is the heading.
 */
export function modelCard({
  request,
  plan,
  state,
  forecast,
  evaluation,
  engine,
  version,
}: CardRequest): string {
  const { model, description = {} } = request;
  const { frontMatter, title, ...facts } = description;
  const name =
    plan.options.runName ?? (typeof title === 'string' ? title : basename(resolve(plan.outputDir)));
  const adapted = model.adapter !== undefined;
  const head = {
    ...(isFromHub(model) ? { base_model: model.source } : {}),
    ...(adapted ? { library_name: 'peft' } : { library_name: 'transformers' }),
    pipeline_tag: 'text-generation',
    tags: ['lmflow', ...(adapted ? [model.adapter.name] : [])],
    ...(isRecord(frontMatter) ? frontMatter : {}),
  };
  return [
    '---',
    ...Object.entries(head).map(([key, value]) => `${key}: ${JSON.stringify(value)}`),
    '---',
    '',
    `# ${name}`,
    '',
    `${adapted ? `A ${model.adapter.name} adapter for` : 'Finetuned from'} ${sourceOf(model)}, ` +
      `${count(forecast.trainableParameters)} of ${count(forecast.totalParameters)} parameters ` +
      'trained with [LMFlow for TypeScript](https://www.npmjs.com/package/lmflow).',
    '',
    '## Data',
    '',
    ...bullets({
      samples: request.data.samples,
      evaluationSamples: request.evaluation?.length ?? 0,
      ...facts,
    }),
    '',
    '## Settings',
    '',
    '| setting | value |',
    '|---|---|',
    ...settingsRows(plan, model),
    '',
    '## Results',
    '',
    '| figure | value |',
    '|---|---|',
    ...resultRows(state, plan, evaluation),
    '',
    '![Loss](training_loss.svg)',
    '',
    ...evaluationTable(state),
    `Made with @lmflow/plugin-trainer ${version}, engine ${engine}, Node.js ${process.versions.node}.`,
    '',
  ].join('\n');
}

function settingsRows(plan: RunPlan, model: Model): string[] {
  const { options, totalSteps, warmupSteps, seed } = plan;
  const adam = options.optim.startsWith('adamw')
    ? ` (beta1 ${options.adamBeta1}, beta2 ${options.adamBeta2}, epsilon ${options.adamEpsilon})`
    : '';
  const rows: readonly (readonly [string, string | number])[] = [
    ['steps', totalSteps],
    ['epochs', Number(plan.epochAfter(totalSteps).toFixed(2))],
    [
      'sequences a step',
      `${options.perDeviceTrainBatchSize * options.gradientAccumulationSteps} ` +
        `(${options.perDeviceTrainBatchSize} x ${options.gradientAccumulationSteps})`,
    ],
    ['optimizer', `${options.optim}${adam}`],
    ['weight decay', options.weightDecay],
    [
      'learning rate',
      `${options.learningRate}, ${options.lrSchedulerType}, ${warmupSteps} warmup step${warmupSteps === 1 ? '' : 's'}`,
    ],
    ['largest gradient norm', options.maxGradNorm],
    [
      'precision',
      [
        'float32',
        ...model.claims.map(
          ({ how, linears }) => `${linears.length} of ${model.linears.length} linears ${how}`,
        ),
      ].join('; '),
    ],
    ['seed', seed],
  ];
  return rows.map(([name, value]) => `| ${name} | ${value} |`);
}

function resultRows(
  state: RunState,
  { totalSteps }: RunPlan,
  evaluation: CardRequest['evaluation'],
): string[] {
  const rows: (readonly [string, string])[] = [
    ['steps done', `${state.globalStep} of ${totalSteps}`],
    ['training loss', figure(state.trainLoss)],
    ...Object.entries(evaluation ?? {}).map(
      ([name, value]) => [`evaluation ${name}`, figure(value)] as const,
    ),
    ['tokens seen', count(state.tokensSeen)],
    ['training time', formatTime(state.seconds)],
  ];
  return rows.map(([name, value]) => `| ${name} | ${value} |`);
}

function evaluationTable({ logHistory }: RunState): string[] {
  const rows = logHistory.filter((entry) => entry['eval_loss'] !== undefined);
  if (rows.length < 2) return [];
  return [
    '| step | epoch | evaluation loss |',
    '|---|---|---|',
    ...rows.map(
      (entry) => `| ${entry['step']} | ${entry['epoch']} | ${figure(entry['eval_loss']!)} |`,
    ),
    '',
  ];
}

function bullets(facts: Readonly<Record<string, unknown>>, indent = ''): string[] {
  return Object.entries(facts).flatMap(([key, value]): string[] => {
    if (value === undefined || value === null) return [];
    const name = key.replace(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`);
    if (Array.isArray(value) && value.some(isRecord)) {
      return [
        `${indent}- ${name}:`,
        ...value.flatMap((item) =>
          isRecord(item) ? nested(item, indent) : [`${indent}  - ${text(item)}`],
        ),
      ];
    }
    if (isRecord(value)) return [`${indent}- ${name}:`, ...bullets(value, `${indent}  `)];
    return [`${indent}- ${name}: ${text(value)}`];
  });
}

function nested(item: Readonly<Record<string, unknown>>, indent: string): string[] {
  return [
    `${indent}  - ${Object.entries(item)
      .filter(([, value]) => value !== undefined && value !== null)
      .map(([key, value]) => `${key}: ${text(value)}`)
      .join(', ')}`,
  ];
}

function text(value: unknown): string {
  if (typeof value === 'number') return Number.isInteger(value) ? count(value) : String(value);
  if (Array.isArray(value)) return value.map(text).join(', ');
  return typeof value === 'string'
    ? withoutFolder(value).replace(/\s+/g, ' ')
    : JSON.stringify(value);
}

const isRecord = (value: unknown): value is Record<string, unknown> =>
  typeof value === 'object' && value !== null && !Array.isArray(value);
const count = (value: number): string => value.toLocaleString('en');
const figure = (value: number): string =>
  Number.isFinite(value) ? value.toPrecision(5) : String(value);

/** Leaves out this computer's folders, since a card is published. */
function withoutFolder(text: string): string {
  return isAbsolute(text) ? basename(text) : text;
}

/** Whether the name is `organisation/name` of the hub, and not a local folder. */
function isFromHub({ source, folder }: Model): boolean {
  return /^[\w-][\w.-]*\/[\w.-]+$/.test(source) && resolve(folder) !== resolve(source);
}

/** The model's source and revision as Markdown. */
function sourceOf({ source, revision }: Model): string {
  return `\`${withoutFolder(source)}\`${revision === undefined ? '' : ` (revision \`${revision}\`)`}`;
}
