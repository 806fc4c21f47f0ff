// How far two models' logits are apart: both are run by the engine on the same tokens. For what merging in float32 costs.
import { forward, randomStream, type Engine, type Model, type Tensor, type Trace } from '@lmflow/sdk';
import { Graph, type Value } from '@lmflow/sdk/graph';

export interface Drift {
  /** Positions compared. */
  readonly tokens: number;
  /** Largest and mean absolute difference of a logit. */
  readonly largest: number;
  readonly mean: number;
  /** Largest absolute logit of the first model, to judge the difference by. */
  readonly largestLogit: number;
  /** Part of the positions at which both find the same token likeliest. */
  readonly sameToken: number;
}

/** Rows of token ids from prompts, or from random ids where there are none. */
export function driftRows(model: Model, prompts: readonly string[], seed: number): Int32Array[] {
  const { vocabularySize, maxPositions } = model.architecture;
  if (prompts.length === 0) {
    const random = randomStream(seed, 'export', 'drift');
    const length = Math.min(16, maxPositions);
    return Array.from({ length: 4 }, (_, row) => Int32Array.from({ length }, (_, index) => Math.floor(random.uniform(row * length + index) * vocabularySize)));
  }
  const rows = prompts.map((prompt) => model.tokenizer.encode(prompt, { addSpecialTokens: true }).ids.slice(0, maxPositions));
  return rows.filter(({ length }) => length > 0);
}

/** Runs both models on each row and compares every logit. */
export async function measureDrift(engine: Engine, first: Model, second: Model, rows: readonly Int32Array[], signal: AbortSignal): Promise<Drift> {
  const width = first.architecture.vocabularySize;
  let [total, largest, largestLogit, same, count] = [0, 0, 0, 0, 0];
  for (const row of rows) {
    signal.throwIfAborted();
    const a = await logitsOf(engine, first, row);
    const b = await logitsOf(engine, second, row);
    for (let index = 0; index < a.length; index++) {
      const difference = Math.abs(a[index]! - b[index]!);
      total += difference;
      if (!(difference <= largest)) largest = difference;
      largestLogit = Math.max(largestLogit, Math.abs(a[index]!));
    }
    for (let start = 0; start < a.length; start += width) same += Number(likeliest(a.subarray(start, start + width)) === likeliest(b.subarray(start, start + width)));
    count += row.length;
  }
  return { tokens: count, largest, mean: total / (count * width), largestLogit, sameToken: same / count };
}

/** Logits [length, vocabulary] of one row. */
export async function logitsOf(engine: Engine, model: Model, ids: Int32Array): Promise<Float32Array> {
  const graph = new Graph();
  const input = (name: string): Value => graph.input(name, 'int32', [1, ids.length]);
  const trace: Trace = {
    graph, model, batchSize: 1, length: ids.length, mode: 'inference', input, positions: input('positions'),
    dropoutMask: (_site, shape) => graph.constant(new Uint8Array(shape.reduce((a, b) => a * b, 1)).fill(1), shape, 'uint8'),
  };
  graph.output('logits', model.build.logits(trace, forward(trace)));
  const program = await engine.compile(graph, { name: 'logits' });
  const tensors: Record<string, Tensor> = {};
  for (const [name, { shape, dtype }] of graph.inputs) {
    const parameter = model.parameters.get(name.replace(/^parameter:/, ''));
    const data = parameter?.data ?? (name === 'positions' ? Int32Array.from(ids.keys()) : ids);
    tensors[name] = await engine.upload(data, shape, dtype);
  }
  const { logits } = await program.run(tensors);
  const numbers = Float32Array.from((await logits!.read()) as Float32Array);
  for (const tensor of [logits!, ...Object.values(tensors)]) tensor.dispose();
  await program.dispose();
  return numbers;
}

function likeliest(row: Float32Array): number {
  let best = 0;
  for (let index = 1; index < row.length; index++) if (row[index]! > row[best]!) best = index;
  return best;
}
