// Tokens -> samples of at most blockSize: truncation, cutting and joining of texts, and the count
// of what happened.
import type { SampleStatistics } from '@lmflow/sdk';
import type { Tokens } from './encoder.ts';

/** What decides the length of samples. */
export interface ShapeOptions {
  readonly blockSize: number;
  readonly truncation: 'right' | 'left' | 'drop';
  readonly groupTexts: boolean;
  readonly bosId: number | undefined;
}

/** Where samples go. */
export type Sink = (tokens: Tokens) => void;

/** Why samples are left out, as it is reported. */
export const DROPPED = {
  empty: 'empty',
  tooLong: 'longer than blockSize',
  untrained: 'without a trained token',
  single: 'a single token left over',
} as const;

/** Shapes samples into a sink and keeps count. */
export class Shaper {
  samples = 0;
  tokens = 0;
  trainedTokens = 0;
  truncated = 0;
  readonly dropped: Record<string, number> = {};
  private readonly options: ShapeOptions;
  private readonly sink: Sink;
  private pending = new Int32Array(1 << 12);
  private length = 0;

  constructor(options: ShapeOptions, sink: Sink) {
    this.options = options;
    this.sink = sink;
  }

  /** A sample of its own; truncated where it is too long. */
  sample({ ids, trained }: Tokens): void {
    const { blockSize, truncation, bosId } = this.options;
    if (ids.length === 0) return this.drop(DROPPED.empty);
    if (ids.length <= blockSize) return this.emit({ ids, trained }, false);
    if (truncation === 'drop') return this.drop(DROPPED.tooLong);
    if (truncation === 'right') {
      return this.emit(
        { ids: ids.slice(0, blockSize), trained: trained.slice(0, blockSize) },
        true,
      );
    }
    this.emit(withoutStart({ ids, trained }, ids.length - blockSize, bosId), true);
  }

  /** A part of the stream of text; blocks are cut off it. Nothing is truncated. */
  text(ids: Int32Array): void {
    if (this.length + ids.length > this.pending.length) {
      const grown = new Int32Array(2 * (this.length + ids.length));
      grown.set(this.pending.subarray(0, this.length));
      this.pending = grown;
    }
    this.pending.set(ids, this.length);
    this.length += ids.length;
    const { blockSize } = this.options;
    let from = 0;
    for (; this.length - from > blockSize; from += blockSize) {
      this.block(this.pending.slice(from, from + blockSize));
    }
    this.pending.copyWithin(0, from, this.length);
    this.length -= from;
  }

  /** The document is over: what is left of it is a sample, unless documents are joined. */
  endOfText(): void {
    if (!this.options.groupTexts) this.flush();
  }

  /** Everything is over. */
  flush(): void {
    if (this.length > 0) this.block(this.pending.slice(0, this.length));
    this.length = 0;
  }

  drop(reason: string): void {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
  }

  statistics(): SampleStatistics {
    const dropped = Object.values(this.dropped).reduce((sum, count) => sum + count, 0);
    return {
      samples: this.samples,
      tokens: this.tokens,
      trainedTokens: this.trainedTokens,
      truncated: this.truncated,
      dropped,
    };
  }

  private block(ids: Int32Array): void {
    if (ids.length < 2) return this.drop(DROPPED.single);
    const trained = new Uint8Array(ids.length).fill(1);
    trained[0] = 0;
    this.emit({ ids, trained }, false);
  }

  private emit(tokens: Tokens, truncated: boolean): void {
    let count = 0;
    for (const flag of tokens.trained) count += flag;
    if (count === 0) return this.drop(DROPPED.untrained);
    this.samples++;
    this.tokens += tokens.ids.length;
    this.trainedTokens += count;
    if (truncated) this.truncated++;
    this.sink(tokens);
  }
}

/** Tokens without the first `count`; BOS stays where it was the first. */
export function withoutStart(
  { ids, trained }: Tokens,
  count: number,
  bosId: number | undefined,
): Tokens {
  const kept = { ids: ids.slice(count), trained: trained.slice(count) };
  if (kept.ids.length === 0) return kept;
  if (ids[0] === bosId) kept.ids[0] = ids[0]!;
  kept.trained[0] = 0;
  return kept;
}
