// What an adapter's matrices are at the start, as a table: the values of initLoraWeights. Some begin
// with a part of the base's weight, which the base then lacks, or with another base.
import { dequantize, quantize } from '@lmflow/plugin-qlora';
import {
  approximateSingular,
  firstOfQr,
  largestSingular,
  type Normal,
  type Rows,
  type Singular,
} from './decomposition.ts';

/** What an initialisation is given. */
export interface StartRequest {
  readonly rank: number;
  readonly scale: number;
  readonly inFeatures: number;
  readonly outFeatures: number;
  /** Drawn for A; further below. */
  readonly uniform: (index: number) => number;
  readonly normal: Normal;
  /** The base's weight, [outFeatures, inFeatures]. */
  readonly weight: () => Promise<Rows>;
  /** Rounds of pissa_niter_N, or of LoftQ. */
  readonly iterations: number;
}

/** What an adapter begins with. */
export interface Start {
  /** [rank, inFeatures] */
  readonly a: Float32Array;
  /** [outFeatures, rank] */
  readonly b: Float32Array;
  /** The base without scale B A, with what the base then is, or the base as it is. */
  readonly base: 'lacks it' | Float32Array | undefined;
}

/** A row of the table. */
export interface Initialisation {
  readonly name: string;
  /** Whether it depends on the base's weight, so that readers have to make it again. */
  readonly changesBase: boolean;
  readonly start: (request: StartRequest) => Start | Promise<Start>;
}

/** PEFT: Kaiming uniform with a = sqrt(5), which is a bound of 1 / sqrt(inFeatures). */
const uniform: Initialisation['start'] = (request) => ({
  a: filled(request, (index) => (2 * request.uniform(index) - 1) / Math.sqrt(request.inFeatures)),
  b: new Float32Array(request.outFeatures * request.rank),
  base: undefined,
});

const rows: readonly Initialisation[] = [
  { name: 'true', changesBase: false, start: uniform },
  {
    name: 'gaussian',
    changesBase: false,
    start: (request) => ({
      ...(uniform(request) as Start),
      a: filled(request, (index) => request.normal(index) / request.rank),
    }),
  },
  {
    name: 'false',
    changesBase: false,
    start: (request) => {
      const { rank, inFeatures, outFeatures } = request;
      const start = uniform(request) as Start;
      const drawB = (index: number): number =>
        (2 * request.uniform(rank * inFeatures + index) - 1) / Math.sqrt(rank);
      return {
        ...start,
        b: Float32Array.from({ length: outFeatures * rank }, (_, index) => drawB(index)),
      };
    },
  },
  {
    name: 'pissa',
    changesBase: true,
    start: async (request) =>
      principal(request, largestSingular(await request.weight(), request.rank, request.normal)),
  },
  {
    name: 'pissa_niter_N',
    changesBase: true,
    start: async (request) => {
      const { rank, iterations, normal } = request;
      return principal(
        request,
        approximateSingular(await request.weight(), rank, iterations, normal),
      );
    },
  },
  {
    name: 'olora',
    changesBase: true,
    start: async (request) => {
      const { q, r } = firstOfQr(await request.weight(), request.rank);
      return { a: asRows(r, request), b: asColumns(q, request), base: 'lacks it' };
    },
  },
  {
    name: 'loftq',
    changesBase: true,
    start: async (request) => {
      const { data, rows: height, columns } = await request.weight();
      const weight = data as Float32Array;
      let rest = weight;
      for (let round = 1; ; round++) {
        const base = dequantize(quantize(rest, 'nf4'), rest.length, 'nf4');
        const error = weight.map((number, index) => number - base[index]!);
        const found = largestSingular(
          { data: error, rows: height, columns },
          request.rank,
          request.normal,
        );
        // PEFT leaves the scale out of A and B, and so starts further from the base.
        const start = { ...factors(found, request), base };
        if (round === request.iterations) return start;
        rest = weight.map(
          (number, index) =>
            number - request.scale * productAt(start, request.rank, columns, index),
        );
      }
    },
  },
];

/** PEFT: zeros and normal numbers, or both normal with false. */
export function embeddingStart({ name }: Initialisation, request: StartRequest): Start {
  const { rank, inFeatures, outFeatures, normal } = request;
  const sizeA = rank * inFeatures;
  return {
    a: name === 'false' ? filled(request, normal) : new Float32Array(sizeA),
    b: Float32Array.from({ length: outFeatures * rank }, (_, index) => normal(sizeA + index)),
    base: undefined,
  };
}

/** The row of a value of initLoraWeights, and N of pissa_niter_N. */
export function initialisationOf(
  value: boolean | string,
): { readonly row: Initialisation; readonly iterations: number } | undefined {
  const [, iterations] = /^pissa_niter_(\d+)$/.exec(String(value)) ?? [];
  const name = iterations === undefined ? String(value) : 'pissa_niter_N';
  const row = rows.find((one) => one.name === name);
  return row && { row, iterations: Number(iterations ?? 1) };
}

/** PiSSA (Meng et al. 2024): the largest singular values, half of each in A and in B. */
function principal(request: StartRequest, found: Singular): Start {
  return { ...factors(found, request), base: 'lacks it' };
}

/** A and B with scale B A = left diag(values) right^T. */
function factors(
  { values, left, right }: Singular,
  request: StartRequest,
): { readonly a: Float32Array; readonly b: Float32Array } {
  const half = (vectors: readonly Float64Array[]): Float64Array[] =>
    vectors.map((vector, index) =>
      vector.map((number) => number * Math.sqrt(values[index]! / request.scale)),
    );
  return { a: asRows(half(right), request), b: asColumns(half(left), request) };
}

// A weight of a lower rank than the adapter's has fewer vectors: the others are zero.
function asRows(
  vectors: readonly Float64Array[],
  { rank, inFeatures }: StartRequest,
): Float32Array {
  const result = new Float32Array(rank * inFeatures);
  vectors.forEach((vector, row) => {
    result.set(vector, row * inFeatures);
  });
  return result;
}

function asColumns(
  vectors: readonly Float64Array[],
  { rank, outFeatures }: StartRequest,
): Float32Array {
  return Float32Array.from(
    { length: outFeatures * rank },
    (_, index) => vectors[index % rank]?.[Math.floor(index / rank)] ?? 0,
  );
}

function productAt(
  { a, b }: Pick<Start, 'a' | 'b'>,
  rank: number,
  columns: number,
  index: number,
): number {
  const [row, column] = [Math.floor(index / columns), index % columns];
  let sum = 0;
  for (let k = 0; k < rank; k++) sum += b[row * rank + k]! * a[k * columns + column]!;
  return sum;
}

function filled({ rank, inFeatures }: StartRequest, draw: (index: number) => number): Float32Array {
  return Float32Array.from({ length: rank * inFeatures }, (_, index) => draw(index));
}
