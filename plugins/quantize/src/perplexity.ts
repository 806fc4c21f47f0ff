// Perplexity of a model on tokens: exp of the mean loss of every token but the first, each predicted once, in windows that overlap by one token.
import { forward, type Engine, type Model, type Program, type Tensor, type Trace } from '@lmflow/sdk';
import { Graph, type Value } from '@lmflow/sdk/graph';

/** Cuts tokens into windows of `length` inputs and what follows each of them: [inputs, targets], the last one perhaps shorter. */
export function windowsOf(ids: Int32Array, length: number): (readonly [Int32Array, Int32Array])[] {
  const count = Math.max(0, Math.ceil((ids.length - 1) / length));
  return Array.from({ length: count }, (_, index) => {
    const start = index * length;
    const end = Math.min(start + length, ids.length - 1);
    return [ids.slice(start, end), ids.slice(start + 1, end + 1)] as const;
  });
}

/** The model as it computes now: programs are traced here. `done` hears the windows that are through. */
export async function perplexityOf(engine: Engine, model: Model, windows: readonly (readonly [Int32Array, Int32Array])[], signal: AbortSignal, done: (windows: number) => void): Promise<number> {
  const programs = new Map<number, Program>();
  // Weights that an adapter brings whole are inputs; its small matrices are constants.
  const parameters: Record<string, Tensor> = {};
  let [loss, tokens] = [0, 0];
  try {
    for (const [index, [inputs, targets]] of windows.entries()) {
      signal.throwIfAborted();
      const { length } = inputs;
      let program = programs.get(length);
      if (!program) {
        const graph = logitsGraph(model, length);
        programs.set(length, program = await engine.compile(graph, { name: 'perplexity' }));
        for (const [name, { data, shape }] of model.parameters) if (graph.inputs.has(`parameter:${name}`)) parameters[`parameter:${name}`] ??= await engine.upload(data, shape, 'float32');
      }
      loss += lossOf(await logitsOf(engine, program, inputs, parameters), targets);
      tokens += length;
      done(index + 1);
    }
  } finally {
    for (const tensor of Object.values(parameters)) tensor.dispose();
    for (const program of programs.values()) await program.dispose();
  }
  return Math.exp(loss / tokens);
}

/** Logits [length, vocabulary] of one row. */
function logitsGraph(model: Model, length: number): Graph {
  const graph = new Graph();
  const input = (name: string): Value => graph.input(name, 'int32', [1, length]);
  const trace: Trace = {
    graph, model, batchSize: 1, length, mode: 'inference', input, positions: input('positions'), dropoutMask: () => { throw new Error('there is no dropout in inference'); },
  };
  graph.output('logits', model.build.logits(trace, forward(trace)));
  return graph;
}

async function logitsOf(engine: Engine, program: Program, ids: Int32Array, parameters: Readonly<Record<string, Tensor>>): Promise<Float32Array> {
  const shape = [1, ids.length];
  const inputs: Record<string, Tensor> = { inputIds: await engine.upload(ids, shape, 'int32'), positions: await engine.upload(Int32Array.from(ids.keys()), shape, 'int32') };
  const { logits } = await program.run({ ...inputs, ...parameters });
  const numbers = Float32Array.from((await logits!.read()) as Float32Array);
  for (const tensor of [logits!, ...Object.values(inputs)]) tensor.dispose();
  return numbers;
}

/** Sum of -log softmax(row)[target], in float64. */
function lossOf(logits: Float32Array, targets: Int32Array): number {
  const width = logits.length / targets.length;
  let loss = 0;
  for (const [place, target] of targets.entries()) {
    const row = logits.subarray(place * width, (place + 1) * width);
    let [largest, sum] = [-Infinity, 0];
    for (let index = 0; index < width; index++) if (row[index]! > largest) largest = row[index]!;
    for (let index = 0; index < width; index++) sum += Math.exp(row[index]! - largest);
    loss += largest + Math.log(sum) - row[target]!;
  }
  return loss;
}
