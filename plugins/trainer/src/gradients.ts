// Sums of a step's micro-batches: loss, further figures, weight and gradients. One division at the end of the step, by the whole weight.
import type { ProgramResult } from './programs.ts';

export class GradientSum {
  /** Summed gradients by parameter name. */
  readonly gradients = new Map<string, Float32Array>();
  readonly metrics: Record<string, number> = {};
  loss = 0;
  weight = 0;

  /** Adds a micro-batch. The first one's arrays are kept, the others are added to them in place. */
  add(result: ProgramResult, weight: number): void {
    this.loss += result.loss;
    this.weight += weight;
    for (const [name, total] of Object.entries(result.metrics)) this.metrics[name] = (this.metrics[name] ?? 0) + total;
    const taken = new Map<ArrayBufferLike, number>();
    for (const [name, gradient] of result.gradients) {
      const sum = this.gradients.get(name);
      if (sum) addInto(sum, gradient);
      else this.gradients.set(name, taken.get(gradient.buffer) === gradient.byteOffset ? gradient.slice() : gradient); // two names of one result
      taken.set(gradient.buffer, gradient.byteOffset);
    }
  }

  /** Euclidean norm over all gradients, in float64. */
  get norm(): number {
    let total = 0;
    for (const gradient of this.gradients.values()) total += squareOf(gradient);
    return Math.sqrt(total);
  }
}

function addInto(sum: Float32Array, gradient: Float32Array): void {
  for (let index = 0; index < sum.length; index++) sum[index]! += gradient[index]!;
}

// Four sums, so that an addition need not wait for the one before: more than twice as fast.
function squareOf(gradient: Float32Array): number {
  let [a, b, c, d] = [0, 0, 0, 0];
  const end = gradient.length - (gradient.length % 4);
  for (let index = 0; index < end; index += 4) {
    const w = gradient[index]!, x = gradient[index + 1]!, y = gradient[index + 2]!, z = gradient[index + 3]!;
    a += w * w;
    b += x * x;
    c += y * y;
    d += z * z;
  }
  for (let index = end; index < gradient.length; index++) a += gradient[index]! * gradient[index]!;
  return a + b + c + d;
}

/** What the averaged gradient is multiplied by so that its norm is at most `maxNorm` (torch.nn.utils.clip_grad_norm_); 0 means never. */
export function clipFactor(norm: number, maxNorm: number): number {
  return maxNorm > 0 ? Math.min(1, maxNorm / (norm + 1e-6)) : 1;
}
