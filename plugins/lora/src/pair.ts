// The trained tensors of one linear. What is computed with them is in project.ts and dora.ts.
import type { LinearLayer, Parameter } from '@lmflow/sdk/model';

/** The two matrices of one linear: y += scale (x A^T) B^T. */
export interface LoraPair {
  readonly layer: LinearLayer;
  readonly rank: number;
  readonly scale: number;
  /** [rank, inFeatures] */
  readonly a: Parameter;
  /** [outFeatures, rank] */
  readonly b: Parameter;
  /** [outFeatures]: the norms of the rows (DoRA). */
  readonly magnitude?: Parameter;
}
