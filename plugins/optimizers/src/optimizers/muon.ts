// Muon (Jordan et al. 2024) as torch.optim.Muon, for the matrices inside the blocks; AdamW for
// vectors, embeddings and the head.
import { defineOptimizer } from '@lmflow/sdk';
import type { Parameter } from '@lmflow/sdk/model';
import {
  add,
  div,
  matMul,
  maximum,
  mul,
  sqrt,
  sum,
  transpose,
  type Value,
} from '@lmflow/sdk/graph';
import { chain, type Transformation } from '../chain.ts';
import { DECAY, NOT_NEGATIVE } from '../ranges.ts';
import { decayWeights } from '../transformations/decay.ts';
import { ema } from '../transformations/momentum.ts';
import { applyUpdate, scaleByLearningRate } from '../transformations/step.ts';
import { adamw } from './adam.ts';

/**
 * Embeddings, positions and heads of the families: matrices, but not linear maps between hidden
 * states.
 */
const TABLES = /(?:^|[._])(?:embed\w*|wte|wpe|lm_head|head|score)\.weight$/;
/** Of the quintic iteration: the steepest slope at zero. */
const [A, B, C] = [3.4445, -4.775, 2.0315];
/** The state that a matrix has, and nothing else. */
const BUFFER = 'momentum_buffer';

type Shaped = Pick<Parameter, 'name' | 'shape'>;

const isHidden = ({ name, shape }: Shaped): boolean => shape.length === 2 && !TABLES.test(name);

/**
 * The momentum of a matrix is made nearly orthogonal by Newton-Schulz steps (torch takes them in
 * bfloat16, here float32). `adjust_lr_fn`: `match_rms_adamw` scales by 0.2 sqrt(max(rows,
 * columns)), so that one learning rate fits both halves; `original` by sqrt(max(1, rows /
 * columns)).
 */
export const muon = defineOptimizer({
  name: 'muon',
  arguments: {
    momentum: 0.95,
    nesterov: true,
    ns_steps: 5,
    eps: 1e-7,
    adjust_lr_fn: 'match_rms_adamw',
  },
  ranges: { momentum: DECAY, ns_steps: { min: 1, below: 100, whole: true }, eps: NOT_NEGATIVE },
  choices: { adjust_lr_fn: ['match_rms_adamw', 'original'] },
  make: (settings) => {
    const {
      momentum,
      nesterov,
      ns_steps: steps,
      eps,
      adjust_lr_fn: adjustment,
    } = settings.arguments;
    const matrices = chain(
      ema(BUFFER, momentum, { nesterov }),
      orthogonalize(steps, eps),
      decayWeights(),
      scaleByLearningRate(({ shape }) => adjustmentOf(shape as [number, number], adjustment)),
      applyUpdate(),
    );
    const others = adamw.make(settings);
    const of = (parameter: Shaped): typeof matrices => (isHidden(parameter) ? matrices : others);
    return {
      init: (parameter) => of(parameter).init(parameter),
      scalars: (facts) => of(facts.parameter).scalars(facts),
      update: (values) => (BUFFER in values.state ? matrices : others).update(values),
    };
  },
});

function adjustmentOf([rows, columns]: readonly [number, number], adjustment: string): number {
  return adjustment === 'original'
    ? Math.sqrt(Math.max(1, rows / columns))
    : 0.2 * Math.sqrt(Math.max(rows, columns));
}

function orthogonalize(steps: number, epsilon: number): Transformation {
  return { update: ({ update }) => ({ update: orthogonal(update, steps, epsilon) }) };
}

function orthogonal(matrix: Value, steps: number, epsilon: number): Value {
  const [rows, columns] = matrix.shape as readonly [number, number];
  const tall = rows > columns;
  let x = tall ? transpose(matrix, [1, 0]) : matrix;
  x = div(x, maximum(sqrt(sum(mul(x, x))), epsilon));
  for (let step = 0; step < steps; step++) {
    const gram = matMul(x, x, { transposeB: true });
    const polynomial = add(mul(gram, B), mul(matMul(gram, gram), C));
    x = add(mul(x, A), matMul(polynomial, x));
  }
  return tall ? transpose(x, [1, 0]) : x;
}
