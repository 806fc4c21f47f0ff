// The service behind SAMPLES: settings -> records -> hooks -> template -> tokens (cached) ->
// packing -> hooks, told on the way.
import { createHash } from 'node:crypto';
import type { TemplateChoice } from '@lmflow/plugin-chat-templates';
import type {
  Config,
  Dataset,
  DatasetRequest,
  Hooks,
  Hub,
  Logger,
  SampleLoader,
  Samples,
  Tokenizer,
} from '@lmflow/sdk';
import { cacheFolder } from '@lmflow/sdk/files';
import { fromCache } from './cache.ts';
import { openDatasets, type OpenedDataset, type SourceDescription } from './dataset.ts';
import * as errors from './errors.ts';
import type { FormatTable } from './formats/format-table.ts';
import type { DatasetOptions } from './options.ts';
import { PackedSamples } from './pack.ts';
import type { ReaderTable } from './readers/reader-table.ts';
import { marked, rows } from './report.ts';
import type { StoredSamples } from './store.ts';
import { tokenize, type TokenizeOptions } from './tokenize.ts';

type LoadRequest = Parameters<SampleLoader['load']>[0];

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

export class DatasetLoader implements SampleLoader {
  private readonly context: LoaderContext;
  private readonly opened: StoredSamples[] = [];

  constructor(context: LoaderContext) {
    this.context = context;
  }

  async load(request: LoadRequest): ReturnType<SampleLoader['load']> {
    const { options, log } = this.context;
    const blockSize = options.blockSize ?? Math.min(DEFAULT_BLOCK, request.maxPositions);
    if (blockSize > request.maxPositions) throw errors.blockSize(blockSize, request.maxPositions);
    const { train, evaluation, opened } = await this.open(request.signal);
    for (const dataset of [train, evaluation]) {
      if (dataset?.kind === 'preference') throw errors.preference(dataset.name);
    }
    const kinds = new Set([train.kind, ...opened.train.kinds, ...(opened.evaluation?.kinds ?? [])]);
    if (options.groupTexts && !kinds.has('text')) {
      log.warn(
        'groupTexts is without effect: it joins plain texts, and there are none. To fill sequences with several samples: packing',
      );
    }
    this.context.templates.forTraining(request.tokenizer, {
      conversations: kinds.has('conversation'),
    });

    const trained = await this.samples(train, opened.train, 'train', blockSize, request);
    const held =
      evaluation &&
      opened.evaluation &&
      (await this.samples(evaluation, opened.evaluation, 'evaluation', blockSize, request));
    const description = {
      dataset: opened.train.sources,
      ...(opened.evaluation ? { evalDataset: opened.evaluation.sources } : {}),
      ...(options.validationSplit === undefined
        ? {}
        : { validationSplit: options.validationSplit, seed: this.seed }),
      chatTemplate: request.tokenizer.chatTemplateOrigin ?? null,
      blockSize,
      packing: options.packing,
      train: trained.statistics,
      ...(held ? { evaluation: held.statistics } : {}),
    };
    return { train: trained, ...(held ? { evaluation: held } : {}), description };
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

  /** Tokenizes one split, or takes it from the cache; packs it; tells what it is. */
  private async samples(
    dataset: Dataset,
    opened: OpenedDataset,
    split: DatasetRequest['split'],
    blockSize: number,
    { tokenizer, signal }: LoadRequest,
  ): Promise<Samples> {
    const { options, hooks, log, version } = this.context;
    const shape: TokenizeOptions = {
      blockSize,
      truncation: options.truncation,
      groupTexts: options.groupTexts,
      trainOnPrompt: options.trainOnPrompt,
      bosId: tokenizer.bosId,
    };
    const key = createHash('sha256')
      .update(
        JSON.stringify([
          version,
          dataset.fingerprint,
          tokenizer.fingerprint,
          tokenizer.chatTemplate ?? null,
          shape,
        ]),
      )
      .digest('hex')
      .slice(0, 32);
    const { samples, cached } = await fromCache({
      folder: options.datasetCacheDir ?? cacheFolder('datasets'),
      key,
      overwrite: options.overwriteCache,
      log,
      make: async (writer) => {
        const made = await tokenize(dataset, writer, { tokenizer, options: shape, log, signal });
        return { ...made, facts: { ...made.facts, sources: opened.sources } };
      },
    });
    this.opened.push(samples);
    const { facts, dropped } = samples.index;
    this.tellSources(split, opened, facts['sources'] as readonly SourceDescription[], cached);
    if (facts['records'] === 0) throw errors.empty(dataset.name);
    if (samples.length === 0) {
      throw errors.noTrainedTokens(
        dataset.name,
        Object.entries(dropped)
          .map(([reason, count]) => `${count} ${reason}`)
          .join(', '),
      );
    }

    const packed = options.packing ? new PackedSamples(samples, blockSize) : samples;
    const result = await hooks.onSamples.promise(packed, this.request(split, signal));
    if (result.length === 0 || result.statistics.trainedTokens === 0) {
      throw errors.noTrainedTokens(dataset.name, 'a tap of onSamples left nothing');
    }
    log.table(
      split === 'train' ? 'training data' : 'evaluation data',
      rows(result, options.packing ? samples.length : undefined, dropped),
    );
    if (split === 'train') this.tellFirst(result, tokenizer, facts);
    log.event('dataset', {
      split,
      cached,
      statistics: result.statistics,
      dropped,
      sources: opened.sources,
    });
    return result;
  }

  private tellSources(
    split: string,
    opened: OpenedDataset,
    counted: readonly SourceDescription[],
    cached: boolean,
  ): void {
    for (const [index, source] of opened.sources.entries()) {
      source.records ??= counted[index]?.records ?? undefined;
      const count =
        source.records === undefined
          ? ''
          : `, ${source.records.toLocaleString('en')} record${source.records === 1 ? '' : 's'}`;
      const files = source.files > 1 ? `, ${source.files} files` : '';
      this.context.log.info(
        `${source.name}: ${source.format}${files}${count}${split === 'train' ? '' : ' for evaluation'}${cached ? ' (tokens from the cache)' : ''}`,
      );
    }
  }

  /** The first sample with its mask, and what ends the answers. */
  private tellFirst(
    samples: Samples,
    tokenizer: Tokenizer,
    facts: Readonly<Record<string, unknown>>,
  ): void {
    const { log } = this.context;
    log.info(`first sample, the trained part in ⟦ ⟧:\n${marked(samples.get(0), tokenizer)}`);
    if (tokenizer.eosId === undefined) {
      log.warn(
        'the tokenizer has no end-of-text token, so the model cannot learn where an answer ends',
      );
    } else if (Number(facts['addedEos']) > 0) {
      log.warn(
        `the chat template ends answers with no special token: ${tokenizer.eosToken} was put after the last answer of each conversation`,
      );
    }
    const ends = (facts['turnEnds'] as readonly string[]).filter(
      (end) => end !== tokenizer.eosToken,
    );
    if (ends.length > 0) {
      log.info(`answers end with ${ends.join(' or ')}: generation must stop there`);
    }
  }
}
