// One model on all that is asked: loaded, evaluated, its results written.
import {
  ANSWER_CHECKS,
  ENGINE,
  GENERATOR,
  MODELS,
  SCORER,
  type Config,
  type PluginContext,
} from '@lmflow/sdk';
import type { Model, RequestedSettings } from '@lmflow/sdk/model';
import { evaluateTasks } from './evaluate-tasks.ts';
import { namesIn, type Flags } from './flags.ts';
import type { GroupResult } from './group-file.ts';
import { groupResults } from './group-results.ts';
import { measureData } from './measure-data.ts';
import { modelFolder, writeResults, type EvaluatedTask } from './results.ts';
import { resultTable } from './table.ts';
import type { TaskFile } from './task-file.ts';
import { findGroups } from './task-table.ts';

/** The model that is evaluated. */
export interface Subject {
  /** As results name it. */
  readonly name: string;
  readonly source: string;
  /** In place of the configuration's. */
  readonly settings?: RequestedSettings;
  /** Throws where it is not what was asked for. */
  readonly check?: (model: Model) => void;
}

/** What is evaluated. */
export interface Asked {
  readonly flags: Flags;
  /** None where flags ask for a metric of data. */
  readonly tasks: readonly TaskFile[];
  readonly signal: AbortSignal;
}

/** What it gave. */
export interface EvaluatedModel {
  readonly evaluated: readonly EvaluatedTask[];
  readonly groups: readonly GroupResult[];
  readonly table: string;
  /** Folder and files that were written, where outputDir is set. */
  readonly folder: string | undefined;
  readonly files: readonly string[];
}

/** Loads and evaluates a model; writes its files where outputDir is set. */
export async function evaluateModel(
  context: PluginContext,
  subject: Subject,
  { flags, tasks, signal }: Asked,
): Promise<EvaluatedModel> {
  const { resolve, log, config } = context;
  const { fewshotSeed: seed, limit, batchSize } = flags;
  const { outputDir } = config;
  const started = new Date();
  // first, so that a wrong one is told before anything is computed
  const wantedGroups = findGroups(namesIn(flags.tasks));
  const { name, source, settings } = subject;
  const model = await resolve(MODELS).load({
    role: 'policy',
    purpose: 'inference',
    source,
    ...(settings ? { settings } : {}),
    signal,
  });
  subject.check?.(model);
  const session = resolve(SCORER).open(model, batchSize === undefined ? {} : { batchSize });
  const folder = outputDir === undefined ? undefined : modelFolder(outputDir, name);
  const common = {
    model,
    session,
    generator: () => resolve(GENERATOR),
    checks: context.rows(ANSWER_CHECKS),
    batchSize,
    log,
    signal,
    folder,
    computed: computedBy(config, subject),
  };
  let evaluated: readonly (EvaluatedTask & { readonly end?: () => void })[];
  try {
    evaluated = flags.metric
      ? [await measureData(context, flags.metric, flags, common)]
      : await evaluateTasks(context, tasks, flags, common);
  } finally {
    await session.dispose();
  }
  const results = evaluated.map(({ result }) => result);
  const groups = groupResults(wantedGroups, results);
  const table = resultTable(results, groups);
  const run = {
    model: name,
    batchSize,
    limit,
    seed,
    started,
    device: resolve(ENGINE).device,
    groups,
    chatTemplate: flags.applyChatTemplate ? model.tokenizer.chatTemplate : undefined,
    systemInstruction: flags.systemInstruction,
    fewshotAsMultiturn: flags.applyChatTemplate && flags.fewshotAsMultiturn,
  };
  const files = folder ? await writeResults(folder, evaluated, run, table) : [];
  for (const { end } of evaluated) end?.();
  return { evaluated, groups, table, folder, files };
}

/** What of a configuration and a request decides the numbers that the model gives. */
function computedBy(config: Config, { source, settings }: Subject): unknown {
  const sections = config as Readonly<Record<string, unknown>>;
  return [
    source,
    ...['revision', 'lora', 'quantize', 'positionInterpolation', 'generate'].map(
      (key) => sections[key] ?? null,
    ),
    settings ?? null,
  ];
}
