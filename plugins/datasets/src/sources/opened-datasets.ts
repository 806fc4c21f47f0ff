// A `dataset` setting -> Dataset: sources opened, split by seed, mixed by weight, limited. Hooks
// and tokenization come after.
import { createHash } from 'node:crypto';
import type { Dataset, DatasetKind, DatasetRecord } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import type { DatasetOptions } from '../options.ts';
import {
  concatenate,
  heldOut,
  mix,
  pick,
  splitCounts,
  take,
  type Part,
  type Records,
} from './record-streams.ts';
import { parseEntries } from './entries.ts';
import { openSource, type Source, type SourceContext } from './source.ts';

/** What opening the data of a configuration needs. */
export interface OpenContext extends Omit<SourceContext, 'options' | 'splits'> {
  readonly options: DatasetOptions;
  readonly seed: number;
}

/** A dataset with what a model card says of it. */
export interface OpenedDataset extends Dataset {
  readonly kinds: ReadonlySet<DatasetKind>;
  readonly sources: readonly SourceDescription[];
}

/** A source, for messages and the model card. */
export interface SourceDescription {
  readonly name: string;
  readonly path: string;
  readonly format: string;
  readonly files: number;
  readonly weight?: number;
  /** Records used of it, once it was read. */
  records?: number;
}

/** The training data, and the evaluation data where any is asked for. Throws LMFLOW_DATASET_*. */
export async function openDatasets(
  settings: { readonly dataset: unknown; readonly evalDataset: unknown },
  context: OpenContext,
): Promise<{ train: OpenedDataset; evaluation?: OpenedDataset }> {
  const { options, seed } = context;
  if (settings.dataset === undefined) throw errors.missing();
  if (settings.evalDataset !== undefined && options.validationSplit !== undefined) {
    throw errors.splitConflict();
  }
  const sources = await openAll('dataset', settings.dataset, ['train'], context);
  if (options.validationSplit === undefined) {
    const train = make(
      sources,
      sources.map((source) => source.records),
      `whole/${seed}`,
      context,
    );
    if (settings.evalDataset === undefined) return { train };
    const held = await openAll(
      'evalDataset',
      settings.evalDataset,
      ['validation', 'test', 'train'],
      context,
    );
    return {
      train,
      evaluation: evaluationOf(
        held,
        held.map((source) => source.records),
        'whole',
        context,
      ),
    };
  }
  const totals = [];
  for (const source of sources) totals.push(await source.count());
  const counts = splitCounts(nameOf(sources), totals, options.validationSplit);
  const chosen = totals.map((total, index) => heldOut(total, counts[index]!, seed));
  const side = (inverse: boolean): Records[] =>
    sources.map((source, index) => pick(source.records, chosen[index]!, inverse));
  const tag = `${options.validationSplit}/${seed}`;
  return {
    train: make(sources, side(true), `train/${tag}`, context),
    evaluation: evaluationOf(sources, side(false), `held out/${tag}`, context),
  };
}

async function openAll(
  key: string,
  setting: unknown,
  splits: readonly string[],
  context: OpenContext,
): Promise<Source[]> {
  const sources: Source[] = [];
  for (const entry of parseEntries(key, setting)) {
    sources.push(await openSource(entry, { ...context, splits }));
  }
  return sources;
}

const nameOf = (sources: readonly Source[]): string =>
  sources.map((source) => source.name).join(' + ');

/** Training data: one source after another, or mixed where any has a weight. */
function make(
  sources: readonly Source[],
  records: readonly Records[],
  tag: string,
  { options, seed }: OpenContext,
): OpenedDataset {
  const described = describe(sources);
  const parts = sources.map((source, index): Part => ({
    name: source.name,
    weight: source.weight,
    records: counted(records[index]!, described[index]!),
  }));
  const weighted = parts.length > 1 && parts.some((part) => part.weight !== undefined);
  const mixed = weighted ? mix(parts, seed, options.mixing) : concatenate(parts);
  return assemble(sources, described, take(mixed, options.maxTrainSamples), [
    tag,
    weighted ? [options.mixing, parts.map((part) => part.weight ?? 1)] : null,
    options.maxTrainSamples ?? null,
  ]);
}

/** Evaluation data: every record once, whatever the weights. */
function evaluationOf(
  sources: readonly Source[],
  records: readonly Records[],
  tag: string,
  { options }: OpenContext,
): OpenedDataset {
  const described = describe(sources);
  const parts = sources.map((source, index): Part => ({
    name: source.name,
    weight: undefined,
    records: counted(records[index]!, described[index]!),
  }));
  return assemble(sources, described, take(concatenate(parts), options.maxEvalSamples), [
    tag,
    null,
    options.maxEvalSamples ?? null,
  ]);
}

function describe(sources: readonly Source[]): SourceDescription[] {
  return sources.map(({ name, path, format, files, weight }) => ({
    name,
    path,
    format: format.name,
    files: files.length,
    ...(weight === undefined ? {} : { weight }),
  }));
}

/** Notes how many records of a source were used: the most of any pass through it. */
function counted(records: Records, description: SourceDescription): Records {
  return async function* () {
    let count = 0;
    try {
      for await (const record of records()) {
        count++;
        yield record;
      }
    } finally {
      description.records = Math.max(description.records ?? 0, count);
    }
  };
}

function assemble(
  sources: readonly Source[],
  described: readonly SourceDescription[],
  records: () => AsyncIterable<DatasetRecord>,
  settings: unknown,
): OpenedDataset {
  const fingerprint = createHash('sha256')
    .update(JSON.stringify([sources.map((source) => source.hash), settings]))
    .digest('hex');
  return {
    name: nameOf(sources),
    kind: sources[0]!.format.kind,
    kinds: new Set(sources.map((source) => source.format.kind)),
    sources: described,
    fingerprint,
    records,
  };
}
