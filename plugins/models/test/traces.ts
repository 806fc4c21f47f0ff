// A model's program run by the float64 interpreter: logits, loss and gradients, to compare with
// PyTorch's.
import { forward, type Model, type Parameter, type Trace } from '@lmflow/sdk/model';
import { readWeight } from '@lmflow/sdk/formats';
import {
  Graph,
  add,
  div,
  grad,
  interpret,
  log,
  matMul,
  max,
  mul,
  neg,
  ndarray,
  exp,
  reshape,
  sub,
  sum,
  type NdArray,
  type Value,
} from '@lmflow/sdk/graph';

export interface Tokens {
  readonly ids: readonly number[];
  readonly batchSize: number;
  readonly length: number;
  readonly contextLength?: number;
}

/** A trace of a whole batch, every row one sample from position 0. */
export function traceOf(model: Model, { batchSize, length, contextLength }: Tokens): Trace {
  const graph = new Graph();
  return {
    graph,
    model,
    batchSize,
    length,
    mode: 'evaluation',
    ...(contextLength === undefined ? {} : { contextLength }),
    positions: graph.input('positions', 'int32', [batchSize, length]),
    input: (name) => graph.input(name, 'int32', [batchSize, length]),
    dropoutMask: () => {
      throw new Error('no dropout here');
    },
  };
}

/** Every weight as a parameter, so that gradients reach it. */
export async function trainEverything(model: Model): Promise<void> {
  for (const [name, { shape }] of model.weights) {
    const parameter: Parameter = { name, shape, data: await model.read(name), decay: true };
    model.parameters.set(name, parameter);
  }
}

/** Runs a graph's outputs in float64. */
export async function run(
  trace: Trace,
  tokens: Tokens,
  more: Readonly<Record<string, NdArray>> = {},
): Promise<Record<string, NdArray>> {
  const { batchSize, length, model, graph } = { ...tokens, model: trace.model, graph: trace.graph };
  const inputs: Record<string, NdArray> = {
    inputIds: ndarray([batchSize, length], tokens.ids),
    positions: ndarray(
      [batchSize, length],
      tokens.ids.map((_, index) => index % length),
    ),
    ...more,
  };
  for (const { name, shape, data } of model.parameters.values()) {
    inputs[`parameter:${name}`] = ndarray(shape, data);
  }
  const weights = new Map<unknown, NdArray>();
  for (const value of graph.weights.values()) {
    if (value.source.kind === 'weight') {
      weights.set(value.source.weight, ndarray(value.shape, await readWeight(value.source.weight)));
    }
  }
  return interpret(graph, inputs, { readWeight: (weight) => weights.get(weight)! });
}

/** [rows, vocabulary] */
export function logitsOf(trace: Trace): Value {
  const { hidden, weight } = forward(trace);
  return matMul(hidden, weight, { transposeB: true });
}

/** Logits of a batch. */
export async function logits(model: Model, tokens: Tokens): Promise<Float64Array> {
  const trace = traceOf(model, tokens);
  trace.graph.output('logits', logitsOf(trace));
  return (await run(trace, tokens))['logits']!.data;
}

/**
 * Mean cross-entropy over labelled tokens (position t predicts label t + 1, -100 is none), made of
 * primitives, and every gradient.
 */
export async function lossAndGradients(
  model: Model,
  tokens: Tokens,
  labels: readonly number[],
): Promise<{ readonly loss: number; readonly gradients: Map<string, Float64Array> }> {
  const { batchSize, length } = tokens;
  const trace = traceOf(model, tokens);
  const { graph } = trace;
  const scores = logitsOf(trace);
  const vocabulary = scores.shape[1]!;
  const targets = new Float32Array(batchSize * length * vocabulary);
  let count = 0;
  for (let row = 0; row < batchSize * length; row++) {
    const label = (row + 1) % length === 0 ? -100 : labels[row + 1]!;
    if (label < 0) continue;
    targets[row * vocabulary + label] = 1;
    count++;
  }
  const oneHot = graph.constant(targets, [batchSize * length, vocabulary], 'float32');
  const highest = max(scores, { axes: [1], keepDims: true });
  const logSum = add(log(sum(exp(sub(scores, highest)), { axes: [1], keepDims: true })), highest);
  const loss = div(reshape(sum(mul(oneHot, neg(sub(scores, logSum)))), []), count);
  graph.output('loss', loss);
  const names = [...model.parameters.keys()];
  const values = names.map((name) => graph.inputs.get(`parameter:${name}`)!);
  grad(loss, values).forEach((gradient, index) => graph.output(`grad.${names[index]!}`, gradient));
  const results = await run(trace, tokens);
  return {
    loss: results['loss']!.data[0]!,
    gradients: new Map(names.map((name) => [name, results[`grad.${name}`]!.data])),
  };
}
