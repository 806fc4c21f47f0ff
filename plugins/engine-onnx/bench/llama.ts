// A Llama training step built by hand from sdk/graph's ops, as the models and lora plugins would
// trace it. For measuring the engine alone.
import {
  add,
  attention,
  cast,
  concat,
  gather,
  grad,
  Graph,
  linearCrossEntropy,
  matMul,
  mul,
  reshape,
  rmsNorm,
  rope,
  slice,
  swiglu,
  type Shape,
  type Value,
  type WeightSource,
} from '@lmflow/sdk/graph';
import { SafetensorsFile } from '@lmflow/sdk/formats';
import { readFileSync } from 'node:fs';
import { join } from 'node:path';

export interface StepOptions {
  readonly folder: string;
  readonly length: number;
  readonly method: 'lora' | 'full' | 'loss';
  readonly rank?: number;
  readonly recompute?: boolean;
  readonly chunk?: number;
  readonly tile?: number;
}

export interface Parameter {
  readonly name: string;
  readonly shape: Shape;
  readonly initial: (index: number) => number;
}

interface Config {
  readonly hidden_size: number;
  readonly num_hidden_layers: number;
  readonly num_attention_heads: number;
  readonly vocab_size: number;
  readonly rope_theta: number;
  readonly rms_norm_eps: number;
  readonly tie_word_embeddings: boolean;
}

/**
 * The graph of one step with outputs `loss` and `gradient:<parameter>`, its trainable parameters,
 * and the vocabulary's size.
 */
export async function buildStep(
  options: StepOptions,
): Promise<{ graph: Graph; parameters: Parameter[]; vocabulary: number }> {
  const config = JSON.parse(readFileSync(join(options.folder, 'config.json'), 'utf8')) as Config;
  const file = await SafetensorsFile.open(join(options.folder, 'model.safetensors'));
  const { length, method, rank = 8 } = options;
  const heads = config.num_attention_heads;
  const width = config.hidden_size / heads;
  const graph = new Graph();
  const parameters: Parameter[] = [];
  const values: Value[] = [];

  const parameter = (name: string, shape: Shape, initial: (index: number) => number): Value => {
    const known = graph.inputs.has(`parameter:${name}`);
    const value = graph.input(`parameter:${name}`, 'float32', shape);
    if (!known) {
      parameters.push({ name, shape, initial });
      values.push(value);
    }
    return value;
  };
  const weight = (name: string): Value => {
    const source = file.weightSource(name) as WeightSource;
    if (method === 'full') {
      return parameter(name, source.shape, (index) => 0.02 * Math.sin(index * 12.9898));
    }
    return cast(graph.weight(name, source), 'float32');
  };
  const project = (x: Value, names: readonly string[]): Value[] => {
    const results = names.map((name) => matMul(x, weight(`${name}.weight`), { transposeB: true }));
    if (method !== 'lora') return results;
    const as = names.map((name) =>
      parameter(`${name}.lora_A`, [rank, x.shape[1]!], (index) => 0.02 * Math.sin(index * 78.233)),
    );
    const all = matMul(x, concat(as, 0), { transposeB: true });
    return names.map((name, index) => {
      const low =
        names.length === 1 ? all : slice(all, [0, index * rank], [x.shape[0]!, (index + 1) * rank]);
      const b = parameter(
        `${name}.lora_B`,
        [results[index]!.shape[1]!, rank],
        (place) => 0.001 * Math.sin(place * 3.7),
      );
      return add(results[index]!, matMul(mul(low, 2), b, { transposeB: true }));
    });
  };

  const table = (of: (angle: number) => number): Value =>
    graph.constant(
      Float32Array.from({ length: (length * width) / 2 }, (_, index) => {
        const [position, pair] = [Math.floor(index / (width / 2)), index % (width / 2)];
        return of(position * config.rope_theta ** ((-2 * pair) / width));
      }),
      [length, width / 2],
      'float32',
    );
  const [cos, sin] = [table(Math.cos), table(Math.sin)];
  const positions = graph.input('positions', 'int32', [1, length]);

  let hidden = reshape(
    gather(weight('model.embed_tokens.weight'), graph.input('inputIds', 'int32', [1, length])),
    [length, config.hidden_size],
  );
  for (let layer = 0; layer < config.num_hidden_layers; layer++) {
    const path = `model.layers.${layer}`;
    hidden = graph.region(
      `layer.${layer}`,
      () => {
        const normed = rmsNorm(
          hidden,
          weight(`${path}.input_layernorm.weight`),
          config.rms_norm_eps,
        );
        const parts = project(
          normed,
          ['q_proj', 'k_proj', 'v_proj'].map((name) => `${path}.self_attn.${name}`),
        );
        const [first, second, v] = parts.map((part) =>
          reshape(part, [1, length, part.shape[1]! / width, width]),
        ) as [Value, Value, Value];
        const [q, k] = [rope(first, cos, sin, positions), rope(second, cos, sin, positions)];
        const seen = attention({ q, k, v, ...(options.tile ? { tile: options.tile } : {}) });
        const attended = add(
          hidden,
          project(reshape(seen, [length, heads * width]), [`${path}.self_attn.o_proj`])[0]!,
        );
        const [gate, up] = project(
          rmsNorm(attended, weight(`${path}.post_attention_layernorm.weight`), config.rms_norm_eps),
          [`${path}.mlp.gate_proj`, `${path}.mlp.up_proj`],
        ) as [Value, Value];
        return add(attended, project(swiglu(gate, up), [`${path}.mlp.down_proj`])[0]!);
      },
      { recompute: options.recompute ?? false },
    );
  }
  hidden = rmsNorm(hidden, weight('model.norm.weight'), config.rms_norm_eps);
  const head = weight(config.tie_word_embeddings ? 'model.embed_tokens.weight' : 'lm_head.weight');
  const loss = linearCrossEntropy(
    hidden,
    head,
    graph.input('labels', 'int32', [length]),
    options.chunk ? { chunk: options.chunk } : {},
  );
  graph.output('loss', loss);
  if (method !== 'loss') {
    grad(loss, values).forEach((gradient, index) =>
      graph.output(`gradient:${parameters[index]!.name}`, gradient),
    );
  }
  return { graph, parameters, vocabulary: config.vocab_size };
}
