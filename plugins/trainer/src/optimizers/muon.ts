// Muon (Jordan et al. 2024) as torch.optim.Muon, for the matrices inside the blocks; AdamW for
// vectors, embeddings and the head.
import {
  add,
  div,
  matMul,
  maximum,
  mul,
  sqrt,
  sub,
  sum,
  transpose,
  type Value,
} from '@lmflow/sdk/graph';
import type { Parameter } from '@lmflow/sdk/model';
import { DECAY, NOT_NEGATIVE, numberOf, type Optimizer } from '../optimizer.ts';
import { adamw } from './adam.ts';

/**
 * Embeddings, positions and heads of the families: matrices, but not linear maps between hidden
 * states.
 */
const TABLES = /(?:^|[._])(?:embed\w*|wte|wpe|lm_head|head|score)\.weight$/;
/** Of the quintic iteration: the steepest slope at zero. */
const [A, B, C] = [3.4445, -4.775, 2.0315];

const isHidden = ({ name, shape }: Pick<Parameter, 'name' | 'shape'>): boolean =>
  shape.length === 2 && !TABLES.test(name);

/**
 * The momentum of a matrix is made nearly orthogonal by Newton-Schulz steps (torch takes them in
 * bfloat16, here float32). `adjust_lr_fn`:
 * `match_rms_adamw` scales by 0.2 sqrt(max(rows, columns)), so that one learning rate fits both
 * halves; `original` by sqrt(max(1, rows / columns)).
 */
export const muon: Optimizer = {
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
  state: (parameter, given) =>
    isHidden(parameter) ? { momentum_buffer: parameter.shape } : adamw.state(parameter, given),
  scalars: (facts) => {
    const { parameter, learningRate, weightDecay, arguments: given } = facts;
    if (!isHidden(parameter)) return adamw.scalars(facts);
    const [rows, columns] = parameter.shape as readonly [number, number];
    const adjusted =
      given['adjust_lr_fn'] === 'original'
        ? Math.sqrt(Math.max(1, rows / columns))
        : 0.2 * Math.sqrt(Math.max(rows, columns));
    const momentum = numberOf(given, 'momentum');
    return {
      rate: learningRate * adjusted,
      keep: 1 - learningRate * weightDecay,
      momentum,
      rest: 1 - momentum,
    };
  },
  update: (values) => {
    const {
      parameter,
      gradient,
      state,
      scalars: { rate, keep, momentum, rest },
      arguments: given,
    } = values;
    if (!state['momentum_buffer']) return adamw.update(values);
    const buffer = add(mul(state['momentum_buffer'], momentum!), mul(gradient, rest!));
    const direction =
      given['nesterov'] === true ? add(mul(gradient, rest!), mul(buffer, momentum!)) : buffer;
    const change = orthogonal(direction, numberOf(given, 'ns_steps'), numberOf(given, 'eps'));
    return {
      parameter: sub(mul(parameter, keep!), mul(change, rate!)),
      state: { momentum_buffer: buffer },
    };
  },
};

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
