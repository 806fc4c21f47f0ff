// Sums loss, further figures, weight and gradients over a step's micro-batches. They are divided
// once, at the end of the step, by the whole weight.
import type { ProgramResult } from './programs.ts';

export class GradientSum {
  /** Summed gradients by parameter name. */
  readonly gradients = new Map<string, Float32Array>();
  /** Sums of further figures; `weight` where they have a denominator. */
  readonly metrics: Record<string, { total: number; weight?: number }> = {};
  loss = 0;
  weight = 0;

  /**
   * Adds a micro-batch and returns the arrays that are free: those of the first are kept, and the
   * others are added to them.
   */
  add(result: ProgramResult, weight: number): Map<string, Float32Array> {
    this.loss += result.loss;
    this.weight += weight;
    for (const [name, { total, weight: own }] of Object.entries(result.metrics)) {
      const sum = (this.metrics[name] ??= { total: 0 });
      sum.total += total;
      if (own !== undefined) sum.weight = (sum.weight ?? 0) + own;
    }
    const free = new Map<string, Float32Array>();
    for (const [name, gradient] of result.gradients) {
      const sum = this.gradients.get(name);
      if (sum) {
        addInto(sum, gradient);
        free.set(name, gradient);
      } else this.gradients.set(name, gradient);
    }
    return free;
  }
}

function addInto(sum: Float32Array, gradient: Float32Array): void {
  for (let index = 0; index < sum.length; index++) sum[index]! += gradient[index]!;
}

/**
 * The factor with which the averaged gradient has a norm of at most `maxNorm`, as in
 * torch.nn.utils.clip_grad_norm_; a `maxNorm` of 0 never clips.
 */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
