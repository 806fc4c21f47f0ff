// Groups of tokens -> groups of samples of at most blockSize: all sides are cut and kept, or none is;
// and the count of what happened. shaper.ts does it for single samples.
import type { SampleStatistics } from '@lmflow/sdk';
import type { Tokens } from './encoder.ts';
import { DROPPED, withoutStart, type ShapeOptions } from './shaper.ts';

/** Why groups are left out, beside the reasons of single samples. */
const NOT_COMPARED = { equal: 'with equal answers', tied: 'with equal scores' } as const;

/** Shapes groups into a sink and keeps count; a group is one sample. */
export class GroupShaper {
  readonly dropped: Record<string, number> = {};
  private readonly options: ShapeOptions;
  private readonly sink: (side: Tokens, member: number) => void;
  private samples = 0;
  private tokens = 0;
  private trainedTokens = 0;
  private truncated = 0;

  constructor(options: ShapeOptions, sink: (side: Tokens, member: number) => void) {
    this.options = options;
    this.sink = sink;
  }

  /** Takes the sides of a group; true where it is kept. */
  group(sides: readonly Tokens[], { tied }: { readonly tied: boolean }): boolean {
    if (tied) return this.drop(NOT_COMPARED.tied);
    if (sides.some(({ ids }) => ids.length === 0)) return this.drop(DROPPED.empty);
    const { blockSize, truncation } = this.options;
    const longest = Math.max(...sides.map(({ ids }) => ids.length));
    const tooLong = longest > blockSize;
    if (tooLong && truncation === 'drop') return this.drop(DROPPED.tooLong);
    const cut = tooLong ? sides.map((side) => this.cut(side, longest - blockSize)) : sides;
    if (cut.some(({ trained }) => !trained.includes(1))) return this.drop(DROPPED.untrained);
    const [first, ...others] = cut;
    if (others.some(({ ids }) => sameIds(ids, first!.ids))) return this.drop(NOT_COMPARED.equal);
    this.samples++;
    if (tooLong) this.truncated++;
    for (const [member, side] of cut.entries()) {
      this.tokens += side.ids.length;
      for (const flag of side.trained) this.trainedTokens += flag;
      this.sink(side, member);
    }
    return true;
  }

  statistics(): SampleStatistics {
    const { samples, tokens, trainedTokens, truncated } = this;
    const dropped = Object.values(this.dropped).reduce((sum, count) => sum + count, 0);
    return { samples, tokens, trainedTokens, truncated, dropped };
  }

  /** The end of each side that is too long, or `excess` tokens of the beginning of every side. */
  private cut(side: Tokens, excess: number): Tokens {
    const { blockSize, truncation, bosId } = this.options;
    if (truncation === 'left') return withoutStart(side, excess, bosId);
    return { ids: side.ids.slice(0, blockSize), trained: side.trained.slice(0, blockSize) };
  }

  private drop(reason: string): false {
    this.dropped[reason] = (this.dropped[reason] ?? 0) + 1;
    return false;
  }
}

function sameIds(one: Int32Array, other: Int32Array): boolean {
  return one.length === other.length && one.every((id, place) => id === other[place]);
}
