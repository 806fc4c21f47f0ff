// The service behind SAMPLES: settings -> records -> hooks -> template -> tokens (cached) ->
// packing -> hooks, with a report.
import { createHash } from 'node:crypto';
import type { TemplateChoice } from '@lmflow/plugin-chat-templates';
import type {
  Config,
  Dataset,
  DatasetRequest,
  Hooks,
  Hub,
  Logger,
  RawRecord,
  SampleLoader,
  SampleRequest,
  Samples,
  TrainedAnswers,
} from '@lmflow/sdk';
import { cacheFolder } from '@lmflow/sdk/files';
import { fromCache } from './samples/token-cache.ts';
import {
  openDatasets,
  type OpenedDataset,
  type SourceDescription,
} from './sources/opened-datasets.ts';
import { rawRecords } from './sources/source.ts';
import * as compared from './samples/errors.ts';
import * as errors from './errors.ts';
import type { FormatTable } from './formats/format-table.ts';
import type { DatasetOptions } from './options.ts';
import { COLUMNS, GROUP_SIZE } from './samples/answer-groups.ts';
import { GroupedSamples } from './samples/grouped-samples.ts';
import { PackedSamples } from './samples/packed-samples.ts';
import type { ReaderTable } from './readers/reader-table.ts';
import { reportFirst, reportSources, rows } from './report.ts';
import { reportPrinted, type PrintFacts } from './samples/print-report.ts';
import type { StoredSamples } from './samples/sample-store.ts';
import { tokenize, type TokenizeOptions } from './samples/tokenization.ts';

/** What the loader needs of its surroundings. */
export interface LoaderContext {
  readonly options: DatasetOptions;
  readonly templates: TemplateChoice;
  readonly formats: FormatTable;
  readonly readers: ReaderTable;
  readonly config: Config;
  readonly hooks: Pick<Hooks, 'onDataset' | 'onSamples'>;
  readonly log: Logger;
  /** Called for a data set that is no local path. */
  readonly hub: () => Hub;
  readonly version: string;
}

/** The records that a configuration names, by split. */
export interface OpenedSplits {
  readonly train: Dataset;
  readonly evaluation?: Dataset;
  /** As opened, before the taps: sources with format and count. */
  readonly opened: { readonly train: OpenedDataset; readonly evaluation?: OpenedDataset };
}

const DEFAULT_BLOCK = 1024;

/** One split of a request, before it becomes samples. */
interface SplitRequest {
  readonly split: DatasetRequest['split'];
  readonly dataset: Dataset;
  readonly opened: OpenedDataset;
  readonly blockSize: number;
  readonly request: SampleRequest;
}

/** Loads what the configuration names. */
export class DatasetLoader implements SampleLoader {
  private readonly context: LoaderContext;
  private readonly opened: StoredSamples[] = [];

  constructor(context: LoaderContext) {
    this.context = context;
  }

  async load(request: SampleRequest): ReturnType<SampleLoader['load']> {
    const { options } = this.context;
    const blockSize = options.blockSize ?? Math.min(DEFAULT_BLOCK, request.maxPositions);
    if (blockSize > request.maxPositions) throw errors.blockSize(blockSize, request.maxPositions);
    const answers = this.answers(request);
    this.checkPreferences(request);
    const { train, evaluation, opened } = await this.open(request.signal);
    for (const dataset of [train, evaluation]) checkKind(dataset, request);
    await this.chooseTemplate(request, [train, opened.train, opened.evaluation]);

    const common = { blockSize, request };
    const trained = await this.samples({
      split: 'train',
      dataset: train,
      opened: opened.train,
      ...common,
    });
    const held =
      evaluation &&
      opened.evaluation &&
      (await this.samples({
        split: 'evaluation',
        dataset: evaluation,
        opened: opened.evaluation,
        ...common,
      }));
    const description = {
      dataset: opened.train.sources,
      ...(opened.evaluation ? { evalDataset: opened.evaluation.sources } : {}),
      ...(options.validationSplit === undefined
        ? {}
        : { validationSplit: options.validationSplit, seed: this.seed }),
      chatTemplate: request.tokenizer.chatTemplateOrigin ?? null,
      blockSize,
      packing: options.packing,
      ...(answers === 'last' ? { trainedAnswers: answers } : {}),
      train: trained.statistics,
      ...(held ? { evaluation: held.statistics } : {}),
    };
    return { train: trained, ...(held ? { evaluation: held } : {}), description };
  }

  /**
   * The records of one split of a file, folder or hub id as its files have them: no format is looked
   * for, no tap sees them. For plugins that evaluate.
   */
  rawRecords(
    entry: {
      readonly path: string;
      readonly subset?: string | undefined;
      readonly revision?: string | undefined;
      readonly split: string;
    },
    signal?: AbortSignal,
  ): AsyncIterable<RawRecord> {
    const { hub, readers } = this.context;
    return rawRecords(entry, { hub, readers, signal, splits: [entry.split] });
  }

  /** Closes the cache's files. */
  dispose(): void {
    for (const samples of this.opened.splice(0)) samples.dispose();
  }

  /**
   * The records of both splits, after the taps of onDataset; nothing is tokenized. For plugins that
   * make samples of their own.
   */
  async open(signal?: AbortSignal): Promise<OpenedSplits> {
    const { config, hooks, ...context } = this.context;
    const { options } = context;
    const opened = await openDatasets(
      { dataset: config.dataset, evalDataset: options.evalDataset },
      { ...context, seed: this.seed, signal },
    );
    const train = await hooks.onDataset.promise(opened.train, this.request('train', signal));
    const evaluation =
      opened.evaluation &&
      (await hooks.onDataset.promise(opened.evaluation, this.request('evaluation', signal)));
    return { train, ...(evaluation ? { evaluation } : {}), opened };
  }

  private get seed(): number {
    return this.context.config.seed ?? 42;
  }

  private request(split: DatasetRequest['split'], signal: AbortSignal | undefined): DatasetRequest {
    const { options, config } = this.context;
    return {
      split,
      setting: split === 'train' ? config.dataset : (options.evalDataset ?? config.dataset),
      ...(signal ? { signal } : {}),
    };
  }

  /** Which answers are trained: the request comes before the configuration. */
  private answers({ answers, preferences }: SampleRequest): TrainedAnswers {
    const { maskHistory, trainOnPrompt } = this.context.options;
    const chosen = preferences ? 'last' : (answers ?? (maskHistory ? 'last' : 'all'));
    if (chosen === 'last' && trainOnPrompt) throw errors.trainedConflict();
    return chosen;
  }

  /** Options that would do nothing to answers that are compared. */
  private checkPreferences({ preferences }: SampleRequest): void {
    if (!preferences) return;
    const { packing, groupTexts } = this.context.options;
    if (packing) {
      throw compared.preferenceSetting('packing', 'paddingFree lays those of a batch into rows');
    }
    if (groupTexts) throw compared.preferenceSetting('groupTexts', 'it joins plain texts');
  }

  /** Chooses the chat template, which depends on the kinds of data. */
  private async chooseTemplate(
    { tokenizer, preferences }: SampleRequest,
    datasets: readonly (Dataset | OpenedDataset | undefined)[],
  ): Promise<void> {
    const { options, templates, log } = this.context;
    const kinds = new Set(
      datasets.flatMap((dataset) => {
        if (!dataset) return [];
        return 'kinds' in dataset ? [...dataset.kinds] : [dataset.kind];
      }),
    );
    if (options.groupTexts && !kinds.has('text')) {
      log.warn(
        'groupTexts has no effect: it joins plain texts, and the data has none; ' +
          'set packing to fill sequences with several samples',
      );
    }
    const messages = preferences !== undefined && (await beginsWithMessages(datasets));
    templates.forTraining(tokenizer, { conversations: messages || kinds.has('conversation') });
  }

  /** Tokenizes one split, or takes it from the cache; packs it; reports what it is. */
  private async samples(part: SplitRequest): Promise<Samples> {
    const { split, dataset, opened, blockSize, request } = part;
    const { options, hooks, log } = this.context;
    const { samples, cached } = await this.stored(part);
    this.opened.push(samples);
    const { facts, dropped } = samples.index;
    for (const [index, source] of opened.sources.entries()) {
      const counted = facts['sources'] as readonly SourceDescription[];
      source.records ??= counted[index]?.records ?? undefined;
    }
    reportSources(log, opened.sources, { split, cached });
    if (facts['records'] === 0) throw errors.empty(dataset.name);
    if (samples.length === 0) {
      const reasons = Object.entries(dropped).map(([reason, count]) => `${count} ${reason}`);
      throw errors.noTrainedTokens(dataset.name, reasons.join(', '));
    }

    const packed = options.packing
      ? new PackedSamples(samples, blockSize)
      : grouped(samples, request);
    const result = await hooks.onSamples.promise(packed, this.request(split, request.signal));
    if (result.length === 0 || result.statistics.trainedTokens === 0) {
      throw errors.noTrainedTokens(dataset.name, 'a tap of onSamples left nothing');
    }
    log.table(
      split === 'train' ? 'training data' : 'evaluation data',
      rows(result, options.packing ? samples.length : undefined, dropped),
    );
    reportPrinted(log, facts['printed'] as PrintFacts);
    if (split === 'train') reportFirst(log, result, request.tokenizer, facts);
    const { statistics } = result;
    log.event('dataset', { split, cached, statistics, dropped, sources: opened.sources });
    return result;
  }

  /** The tokens of one split, from the cache or made. */
  private async stored({
    dataset,
    opened,
    blockSize,
    request,
  }: SplitRequest): ReturnType<typeof fromCache> {
    const { options, log, version } = this.context;
    const { tokenizer, signal, preferences } = request;
    const answers = this.answers(request);
    const shape: TokenizeOptions = {
      blockSize,
      truncation: options.truncation,
      groupTexts: options.groupTexts,
      trainOnPrompt: options.trainOnPrompt,
      // left out where it is all, as in the cache of before
      ...(answers === 'last' ? { answers } : {}),
      ...(preferences ? { preferences } : {}),
      bosId: tokenizer.bosId,
    };
    const content = [
      version,
      dataset.fingerprint,
      tokenizer.fingerprint,
      tokenizer.chatTemplate ?? null,
      tokenizer.specialTokensInText,
      shape,
    ];
    return fromCache({
      folder: options.datasetCacheDir ?? cacheFolder('datasets'),
      key: createHash('sha256').update(JSON.stringify(content)).digest('hex').slice(0, 32),
      overwrite: options.overwriteCache,
      log,
      ...(preferences ? { columns: COLUMNS[preferences] } : {}),
      make: async (writer) => {
        const made = await tokenize(dataset, writer, { tokenizer, options: shape, log, signal });
        return { ...made, facts: { ...made.facts, sources: opened.sources } };
      },
    });
  }
}

/** Throws LMFLOW_DATASET_PREFERENCE, _PROMPTS and _NOT_PAIRED where records are of a kind that does not fit. */
function checkKind(dataset: Dataset | undefined, { preferences }: SampleRequest): void {
  if (!dataset) return;
  const { kind, name } = dataset;
  if (kind === 'prompt') throw compared.promptsAlone(name);
  const isCompared = kind === 'preference' || kind === 'unpaired';
  if (!preferences && isCompared) throw compared.preference(name);
  if (!preferences || kind === 'preference' || (isCompared && preferences === 'unpaired')) return;
  throw compared.notPaired(name, kind, preferences);
}

/** Whether the first record of any of them is of messages. */
async function beginsWithMessages(datasets: readonly (Dataset | undefined)[]): Promise<boolean> {
  for (const dataset of datasets) {
    for await (const record of dataset?.records() ?? []) {
      if ('messages' in record) return true;
      break;
    }
  }
  return false;
}

/** Pairs as groups of two; one sequence a sample as it is. */
function grouped(samples: StoredSamples, { preferences }: SampleRequest): Samples {
  const size = preferences ? GROUP_SIZE[preferences] : 1;
  if (size === 1) return samples;
  return new GroupedSamples(samples, size, { columns: Number(samples.index.facts['margins']) > 0 });
}
