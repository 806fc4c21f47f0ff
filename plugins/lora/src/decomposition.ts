// The decompositions that initialisations begin with: the largest singular triplets of a matrix, and
// the first columns of Q and rows of R. Where matrices come from, and what is made of these, is in
// initialisations.ts.
import { EigenvalueDecomposition, Matrix } from 'ml-matrix';

/** Rows of a matrix, row-major. */
export interface Rows {
  readonly data: Float32Array | Float64Array;
  readonly rows: number;
  readonly columns: number;
}

/** matrix ~ left diag(values) right^T, largest values first. */
export interface Singular {
  readonly values: Float64Array;
  /** [rows] each, of length 1. */
  readonly left: readonly Float64Array[];
  /** [columns] each, of length 1. */
  readonly right: readonly Float64Array[];
}

/** Numbers of a normal distribution by index. */
export type Normal = (index: number) => number;

/** Relative to the largest eigenvalue of matrix^T matrix. */
const TOLERANCE = 1e-10;

/** More directions than are asked for, so that those converge sooner. */
const OVERSAMPLING = 8;

/**
 * The `count` largest singular values with their vectors, by a block Krylov space (Musco and Musco
 * 2015) that grows until they no longer change. `count` is at most the shorter side.
 */
export function largestSingular(matrix: Rows, count: number, normal: Normal): Singular {
  const full = Math.min(matrix.rows, matrix.columns);
  const width = Math.min(full, count + OVERSAMPLING);
  const basis: Float64Array[] = [];
  const images: Float64Array[] = [];
  let block: Float64Array[] = Array.from({ length: width }, (_, one) =>
    Float64Array.from({ length: matrix.columns }, (_unused, index) =>
      normal(one * matrix.columns + index),
    ),
  ).map((vector) => timesTransposed(matrix, times(matrix, vector)));
  // Looking for them costs more than growing: every quarter is soon enough.
  for (let next = width; ;) {
    const added = orthonormal(block, basis).slice(0, full - basis.length);
    basis.push(...added);
    images.push(...added.map((vector) => times(matrix, vector)));
    const whole = added.length === 0 || basis.length >= full;
    if (whole || basis.length >= next) {
      const found = ritz(basis, images, count);
      if (whole || converged(matrix, found)) return found;
      next = 1.25 * basis.length;
    }
    block = images.slice(-added.length).map((image) => timesTransposed(matrix, image));
  }
}

/**
 * The same in the span that `iterations` rounds of subspace iteration give, from as many random
 * directions as are asked for (Halko et al. 2009): what torch.svd_lowrank gives.
 */
export function approximateSingular(
  matrix: Rows,
  count: number,
  iterations: number,
  normal: Normal,
): Singular {
  let directions: Float64Array[] = Array.from({ length: count }, (_, one) =>
    Float64Array.from({ length: matrix.columns }, (_unused, index) =>
      normal(one * matrix.columns + index),
    ),
  );
  const range = (): Float64Array[] =>
    orthonormal(
      directions.map((vector) => times(matrix, vector)),
      [],
    );
  for (let round = 0; round < iterations; round++) {
    directions = orthonormal(
      range().map((vector) => timesTransposed(matrix, vector)),
      [],
    );
  }
  const left = range();
  const transposed = ritz(
    left,
    left.map((vector) => timesTransposed(matrix, vector)),
    count,
  );
  return { values: transposed.values, left: transposed.right, right: transposed.left };
}

/** Q's first `count` columns and R's first `count` rows: matrix ~ Q R. */
export function firstOfQr(
  matrix: Rows,
  count: number,
): { readonly q: readonly Float64Array[]; readonly r: readonly Float64Array[] } {
  const columns = Array.from({ length: count }, (_, column): Float64Array =>
    Float64Array.from(
      { length: matrix.rows },
      (_unused, row) => matrix.data[row * matrix.columns + column]!,
    ),
  );
  const q = orthonormal(columns, []);
  return { q, r: q.map((vector) => timesTransposed(matrix, vector)) };
}

/** Singular triplets of the matrix within the span of a basis; `images` are matrix times each. */
function ritz(
  basis: readonly Float64Array[],
  images: readonly Float64Array[],
  count: number,
): Singular {
  const gram = new Matrix(images.map((one) => images.map((other) => dot(one, other))));
  const { realEigenvalues, eigenvectorMatrix } = new EigenvalueDecomposition(gram, {
    assumeSymmetric: true,
  });
  const order = realEigenvalues
    .map((value, index) => ({ value, index }))
    .sort((one, other) => other.value - one.value)
    .slice(0, count);
  const values = Float64Array.from(order, ({ value }) => Math.sqrt(Math.max(0, value)));
  const mixed = (
    vectors: readonly Float64Array[],
    index: number,
    divisor: number,
  ): Float64Array => {
    const result = new Float64Array(vectors[0]!.length);
    vectors.forEach((vector, one) => {
      addTo(result, vector, eigenvectorMatrix.get(one, index) / divisor);
    });
    return result;
  };
  return {
    values,
    right: order.map(({ index }) => mixed(basis, index, 1)),
    left: order.map(({ index }, place) => mixed(images, index, values[place]! || 1)),
  };
}

function converged(matrix: Rows, { values, left, right }: Singular): boolean {
  const limit = TOLERANCE * values[0]!;
  return right.every((vector, index) => {
    const residual = timesTransposed(matrix, left[index]!);
    addTo(residual, vector, -values[index]!);
    return Math.sqrt(dot(residual, residual)) <= limit;
  });
}

/** The part of the vectors beyond `before` (orthonormal), orthonormal; dependent ones are left out. */
function orthonormal(
  vectors: readonly Float64Array[],
  before: readonly Float64Array[],
): Float64Array[] {
  const made: Float64Array[] = [];
  for (const vector of vectors) {
    const length = Math.sqrt(dot(vector, vector));
    const rest = Float64Array.from(vector);
    // twice: once leaves rounding errors of the parts that were taken away
    for (let round = 0; round < 2; round++) {
      for (const one of [...before, ...made]) addTo(rest, one, -dot(rest, one));
    }
    const left = Math.sqrt(dot(rest, rest));
    if (!(left > 1e-12 * length)) continue;
    made.push(rest.map((number) => number / left));
  }
  return made;
}

function times({ data, rows, columns }: Rows, vector: Float64Array): Float64Array {
  const result = new Float64Array(rows);
  for (let row = 0; row < rows; row++) {
    let sum = 0;
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      sum += data[at]! * vector[column]!;
    }
    result[row] = sum;
  }
  return result;
}

function timesTransposed({ data, rows, columns }: Rows, vector: Float64Array): Float64Array {
  const result = new Float64Array(columns);
  for (let row = 0; row < rows; row++) {
    const factor = vector[row]!;
    for (let column = 0, at = row * columns; column < columns; column++, at++) {
      result[column]! += data[at]! * factor;
    }
  }
  return result;
}

function dot(one: Float64Array, other: Float64Array): number {
  let sum = 0;
  for (let index = 0; index < one.length; index++) sum += one[index]! * other[index]!;
  return sum;
}

function addTo(target: Float64Array, vector: Float64Array, factor: number): void {
  for (let index = 0; index < target.length; index++) target[index]! += factor * vector[index]!;
}
