// Sequences of a store in groups that belong together: a pair is two that follow each other.
import { joinSamples, type Sample, type Samples, type SampleStatistics } from '@lmflow/sdk';

/** A view of sequences, so many in each sample. */
export class GroupedSamples implements Samples {
  readonly length: number;
  readonly statistics: SampleStatistics;
  readonly fingerprint: string;
  readonly group: NonNullable<Samples['group']>;
  private readonly inner: Samples;

  /** Without `columns` the sequences have no numbers. */
  constructor(inner: Samples, size: number, { columns }: { readonly columns: boolean }) {
    this.inner = inner;
    this.length = inner.length / size;
    this.statistics = inner.statistics;
    this.fingerprint = inner.fingerprint;
    this.group = {
      size,
      get: (index): readonly Sample[] =>
        Array.from({ length: size }, (_, member) => {
          const { columns: numbers, ...tokens } = inner.get(index * size + member);
          return columns && numbers ? { ...tokens, columns: numbers } : tokens;
        }),
    };
  }

  get(index: number): Sample {
    const sequences = this.group.get(index);
    return joinSamples(
      sequences.map((sequence, member) => ({ place: { sample: index, member }, ...sequence })),
    );
  }

  lengthOf(index: number): number {
    const { size } = this.group;
    const lengths = Array.from({ length: size }, (_, member) =>
      this.inner.lengthOf(index * size + member),
    );
    return Math.max(...lengths);
  }
}
