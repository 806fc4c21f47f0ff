// Packing: several samples in one sequence, best-fit decreasing; each keeps its own positions and a
// segment number, so that they never see each other. Padding (segment 0) is the collator's.
import { createHash } from 'node:crypto';
import { joinSamples, type Sample, type Samples, type SampleStatistics } from '@lmflow/sdk';

/**
 * Puts lengths into bins of `capacity`: longest first, each into the fullest bin it fits in. Bins,
 * and the indices in them, come in the order of the samples. O(n log capacity).
 */
export function bestFit(lengths: readonly number[] | Int32Array, capacity: number): number[][] {
  const order = Array.from(lengths, (_, index) => index).sort(
    (a, b) => lengths[b]! - lengths[a]! || a - b,
  );
  const bins: number[][] = [];
  // open bins by the room left in them, and a tree that finds the least room that is enough
  const byRoom: number[][] = Array.from({ length: capacity + 1 }, () => []);
  const rooms = new Rooms(capacity + 1);
  for (const index of order) {
    const length = Math.min(lengths[index]!, capacity);
    const room = rooms.atLeast(length);
    const bin = room === undefined ? bins.push([]) - 1 : byRoom[room]!.pop()!;
    if (room !== undefined && byRoom[room]!.length === 0) rooms.set(room, false);
    bins[bin]!.push(index);
    const left = (room ?? capacity) - length;
    if (left === 0) continue;
    byRoom[left]!.push(bin);
    rooms.set(left, true);
  }
  for (const bin of bins) bin.sort((a, b) => a - b);
  return bins.sort((a, b) => a[0]! - b[0]!);
}

/** A set of small numbers that finds its least member from a number on (a binary tree of flags). */
class Rooms {
  private readonly size: number;
  private readonly tree: Uint8Array;

  constructor(count: number) {
    this.size = 2 ** Math.ceil(Math.log2(count));
    this.tree = new Uint8Array(2 * this.size);
  }

  set(number: number, member: boolean): void {
    let node = this.size + number;
    this.tree[node] = member ? 1 : 0;
    for (node >>= 1; node >= 1; node >>= 1) {
      this.tree[node] = this.tree[2 * node]! | this.tree[2 * node + 1]!;
    }
  }

  atLeast(number: number): number | undefined {
    let node = this.size + number;
    if (this.tree[node] === 0) {
      while (node > 1 && (node % 2 === 1 || this.tree[node + 1] === 0)) node >>= 1;
      if (node <= 1) return undefined;
      node++;
      while (node < this.size) node = this.tree[2 * node] === 1 ? 2 * node : 2 * node + 1;
    }
    return node - this.size;
  }
}

/**
 * Samples packed into sequences of at most `blockSize`; read from the samples inside when asked
 * for.
 */
export class PackedSamples implements Samples {
  readonly length: number;
  readonly statistics: SampleStatistics;
  readonly fingerprint: string;
  private readonly inner: Samples;
  private readonly bins: readonly (readonly number[])[];
  private readonly longest: number;

  constructor(inner: Samples, blockSize: number) {
    this.inner = inner;
    const lengths = Array.from({ length: inner.length }, (_, index) => inner.lengthOf(index));
    this.bins = bestFit(lengths, blockSize);
    this.longest = longestOf(lengths);
    this.length = this.bins.length;
    this.statistics = { ...inner.statistics, samples: this.length };
    this.fingerprint = createHash('sha256')
      .update(`packed/${blockSize}/${inner.fingerprint}`)
      .digest('hex');
  }

  lengthOf(index: number): number {
    return this.bins[index]!.reduce((sum, member) => sum + this.inner.lengthOf(member), 0);
  }

  get(index: number): Sample {
    return packOf(this.bins[index]!, (sample) => this.inner.get(sample), this.longest);
  }
}

/** Samples in memory, packed into sequences of at most `blockSize`. */
export function packedSamples(samples: readonly Sample[], blockSize: number): Sample[] {
  const lengths = samples.map(({ inputIds }) => inputIds.length);
  const longest = longestOf(lengths);
  return bestFit(lengths, blockSize).map((bin) => packOf(bin, (index) => samples[index]!, longest));
}

function packOf(
  bin: readonly number[],
  sampleAt: (index: number) => Sample,
  longest: number,
): Sample {
  const members = bin.map((sample) => ({ place: { sample, member: 0 }, ...sampleAt(sample) }));
  return { ...joinSamples(members), contextLength: longest };
}

function longestOf(lengths: readonly number[]): number {
  return lengths.reduce((longest, length) => Math.max(longest, length), 0);
}
