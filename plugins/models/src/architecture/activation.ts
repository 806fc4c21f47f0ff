// Activation functions by the names that config.json uses (transformers' ACT2FN).
import { gelu, mul, relu, sigmoid, silu, type Value } from '@lmflow/sdk/graph';
import { didYouMean } from '@lmflow/sdk';
import { settingUnsupported } from '../errors.ts';

const tanhGelu = (x: Value): Value => gelu(x, 'tanh');

/** hidden_act -> function. */
export const ACTIVATIONS: Readonly<Record<string, (x: Value) => Value>> = {
  silu,
  swish: silu,
  gelu: (x) => gelu(x, 'erf'),
  gelu_new: tanhGelu,
  gelu_pytorch_tanh: tanhGelu,
  gelu_fast: tanhGelu,
  quick_gelu: (x) => mul(x, sigmoid(mul(x, 1.702))),
  relu,
};

/** Refuses a name that is not in the table (LMFLOW_MODEL_UNSUPPORTED). */
export function checkActivation(file: string, key: string, name: string): string {
  if (Object.hasOwn(ACTIVATIONS, name)) return name;
  const known = Object.keys(ACTIVATIONS);
  const nearest = didYouMean(name, known);
  const question = nearest === undefined ? '' : `; did you mean "${nearest}"?`;
  throw settingUnsupported(file, key, name, `known activations are ${known.join(', ')}${question}`);
}
