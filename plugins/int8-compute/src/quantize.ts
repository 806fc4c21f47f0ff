// A linear's weight as int8 with one scale per result, once for each direction of a training step.

/** One direction: int8 [rows, columns] and a scale for each column: numbers = codes x scale. */
export interface Int8Matrix {
  readonly codes: Int8Array;
  readonly scales: Float32Array;
  readonly rows: number;
  readonly columns: number;
}

export interface Int8Linear {
  /** W^T [inFeatures, outFeatures]: x W^T. */
  readonly forward: Int8Matrix;
  /** W [outFeatures, inFeatures]: the input gradient g W. */
  readonly backward: Int8Matrix;
}

/** Quantizes both directions of a matrix stored [rows, columns]: as it is, and transposed. */
export function quantizeBoth(
  numbers: Float32Array,
  rows: number,
  columns: number,
): { readonly asStored: Int8Matrix; readonly transposed: Int8Matrix } {
  const byColumn = new Float32Array(columns);
  const byRow = new Float32Array(rows);
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const size = Math.abs(numbers[row * columns + column]!);
      if (size > byColumn[column]!) byColumn[column] = size;
      if (size > byRow[row]!) byRow[row] = size;
    }
  }
  const asStored = new Int8Array(rows * columns);
  const transposed = new Int8Array(rows * columns);
  const [ofColumn, ofRow] = [byColumn, byRow].map((sizes) =>
    sizes.map((size) => (size > 0 ? 127 / size : 0)),
  ) as [Float32Array, Float32Array];
  for (let row = 0; row < rows; row++) {
    for (let column = 0; column < columns; column++) {
      const number = numbers[row * columns + column]!;
      asStored[row * columns + column] = Math.round(number * ofColumn[column]!);
      transposed[column * rows + row] = Math.round(number * ofRow[row]!);
    }
  }
  const scale = (size: number): number => size / 127;
  return {
    asStored: { codes: asStored, scales: byColumn.map(scale), rows, columns },
    transposed: { codes: transposed, scales: byRow.map(scale), rows: columns, columns: rows },
  };
}
