// The building functions of every family: pre-norm decoder blocks over the graph. They call each
// other only through `model.build`, so that plugins can wrap any of them. Dropout rates in
// config.json are not applied: finetuning runs without, as is usual.
import { didYouMean } from '@lmflow/sdk';
import { floatWeight, parameterValue, type BuildingFunctions, type Trace } from '@lmflow/sdk/model';
import {
  add,
  attention,
  cachedAttention,
  cast,
  concat,
  decodeAttention,
  gather,
  layerNorm,
  matMul,
  mul,
  reshape,
  rmsNorm,
  rope,
  slice,
  swiglu,
  type Value,
} from '@lmflow/sdk/graph';
import type { Blueprint } from '../architecture/blueprint.ts';
import { ACTIVATIONS } from '../architecture/activation.ts';
import { tooLong, weightUnknown } from '../errors.ts';
import { ropeTables } from './rope-tables.ts';

/** The building functions of a blueprint. */
export function buildingFunctions(blueprint: Blueprint): BuildingFunctions {
  const { family, architecture, blocks } = blueprint;
  const { names } = family;
  const { hiddenSize, numHeads, numKeyValueHeads, headDim, intermediateSize, normEpsilon } =
    architecture;
  const gated =
    blueprint.activation === 'silu' || blueprint.activation === 'swish'
      ? swiglu
      : (gate: Value, up: Value): Value => mul(ACTIVATIONS[blueprint.activation]!(gate), up);

  const tablesOf = rotaryTables();

  function selfAttention(trace: Trace, x: Value, layer: number): Value {
    const { build } = trace.model;
    const { batchSize, length, positions, segments } = trace;
    const linears = blocks[layer]!;
    const parts = separate(
      build.project(trace, x, linears.attention),
      [numHeads, numKeyValueHeads, numKeyValueHeads].map((heads) => heads * headDim),
    );
    const heads = parts.map((part) =>
      reshape(part, [batchSize, length, part.shape[1]! / headDim, headDim]),
    ) as [Value, Value, Value];
    const v = heads[2];
    let [q, k] = heads;
    if (names.headNorms) {
      [q, k] = [q, k].map((part, index) =>
        build.norm(trace, part, `${names.block(layer)}.${names.headNorms![index]!}`),
      ) as [Value, Value];
    }
    if (architecture.rope) [q, k] = [build.rope(trace, q), build.rope(trace, k)];
    const scale = blueprint.scales[layer];
    if (scale !== undefined && scale !== headDim ** -0.5) q = mul(q, scale * Math.sqrt(headDim));
    const window = blueprint.windows[layer];
    const cache = trace.cache?.layer(layer);
    trace.cache?.keep(layer, k, v);
    const seen = build.attention(trace, {
      q,
      k,
      v,
      positions,
      layer,
      ...(segments ? { segments } : {}),
      ...(window === undefined ? {} : { window }),
      ...(cache ? { cache } : {}),
    });
    return build.project(trace, reshape(seen, [batchSize * length, numHeads * headDim]), [
      linears.attentionOutput,
    ])[0]!;
  }

  return {
    embed(trace, inputIds) {
      const { build } = trace.model;
      const rows = (table: Value, indices: Value): Value =>
        reshape(lookUp(table, indices), [trace.batchSize * trace.length, hiddenSize]);
      const tokens = rows(build.weight(trace, `${names.embedding}.weight`), inputIds);
      if (names.positions === undefined) return tokens;
      const longest = trace.contextLength ?? trace.length;
      if (longest > architecture.maxPositions) {
        throw tooLong(trace.model.source, longest, architecture.maxPositions);
      }
      return add(tokens, rows(build.weight(trace, `${names.positions}.weight`), trace.positions));
    },

    block(trace, hidden, layer) {
      const { build } = trace.model;
      const path = names.block(layer);
      return trace.graph.region(`layer.${layer}`, () => {
        const attended = add(
          hidden,
          selfAttention(trace, build.norm(trace, hidden, `${path}.${names.attentionNorm}`), layer),
        );
        return add(
          attended,
          build.mlp(trace, build.norm(trace, attended, `${path}.${names.mlpNorm}`), layer),
        );
      });
    },

    norm(trace, x, name) {
      const { build } = trace.model;
      const weight = build.weight(trace, `${name}.weight`);
      return family.norm === 'rms'
        ? rmsNorm(x, weight, normEpsilon)
        : layerNorm(x, weight, build.weight(trace, `${name}.bias`), normEpsilon);
    },

    attention(_trace, { q, k, v, positions, segments, window, cache }) {
      if (!cache) return attention({ q, k, v, segments, window });
      if (!cache.update) return cachedAttention({ q, k, v, positions, window, cache });
      const { result, keys, values } = decodeAttention({ q, k, v, window, cache });
      cache.update(keys, values);
      return result;
    },

    rope(trace, x) {
      const { cos, sin } = tablesOf(trace);
      const rotated = cos.shape[1]! * 2;
      if (rotated === x.shape[3]) return rope(x, cos, sin, trace.positions);
      const [batch, length, heads, width] = x.shape as [number, number, number, number];
      const turned = rope(
        slice(x, [0, 0, 0, 0], [batch, length, heads, rotated]),
        cos,
        sin,
        trace.positions,
      );
      return concat([turned, slice(x, [0, 0, 0, rotated], [batch, length, heads, width])], 3);
    },

    ropeTables: (trace) =>
      ropeTables(
        trace.model.architecture.rope!,
        { length: trace.contextLength ?? trace.length, maxPositions: architecture.maxPositions },
        trace.cache?.layer(0) !== undefined,
      ),

    mlp(trace, x, layer) {
      const { build } = trace.model;
      const linears = blocks[layer]!;
      const [first, up] = build.project(trace, x, linears.mlp) as [Value, Value | undefined];
      const inner = up ? gated(first, up) : ACTIVATIONS[blueprint.activation]!(first);
      return build.project(trace, reshape(inner, [x.shape[0]!, intermediateSize]), [
        linears.down,
      ])[0]!;
    },

    project(trace, x, layers) {
      const { build } = trace.model;
      return layers.map((layer) => {
        const product = build.matmul(trace, x, layer);
        return layer.bias === undefined ? product : add(product, build.weight(trace, layer.bias));
      });
    },

    matmul: (trace, x, { weight, layout }) =>
      matMul(x, trace.model.build.weight(trace, weight), { transposeB: layout === 'out-in' }),

    weight({ graph, model }, name) {
      const parameter = model.parameters.get(name);
      if (parameter) return parameterValue(graph, parameter);
      if (!model.weights.has(name)) {
        throw weightUnknown(model.source, name, didYouMean(name, model.weights.keys()));
      }
      return cast(graph.weight(name, floatWeight(model, name)), 'float32');
    },

    head(trace, hidden) {
      const { build } = trace.model;
      return {
        hidden: build.norm(trace, hidden, names.finalNorm),
        weight: build.weight(
          trace,
          `${architecture.tiedEmbeddings ? names.embedding : names.head}.weight`,
        ),
      };
    },

    logits: (_trace, { hidden, weight }) => matMul(hidden, weight, { transposeB: true }),
  };
}

/**
 * The results of separate linears as they are; that of one fused linear cut into parts of these
 * widths.
 */
function separate(projected: readonly Value[], widths: readonly number[]): readonly Value[] {
  const [fused] = projected;
  if (projected.length > 1 || !fused) return projected;
  let start = 0;
  return widths.map((width) => slice(fused, [0, start], [fused.shape[0]!, (start += width)]));
}

/** Rows of a table. Of a table stored in 16 bits only the rows that are looked up are converted. */
function lookUp(table: Value, indices: Value): Value {
  const { source } = table;
  const stored =
    source.kind === 'node' && source.node.op.name === 'cast' ? source.node.inputs[0]! : undefined;
  return stored?.source.kind === 'weight'
    ? cast(gather(stored, indices), 'float32')
    : gather(table, indices);
}

/** Rotary tables as constants of a trace: one pair for all its layers. */
function rotaryTables(): (trace: Trace) => RotaryTables {
  const known = new WeakMap<Trace, RotaryTables>();
  return (trace) => {
    let tables = known.get(trace);
    if (!tables) {
      const { cos, sin, length } = trace.model.build.ropeTables(trace);
      const shape = [length, cos.length / length];
      const constant = (numbers: Float32Array): Value =>
        trace.graph.constant(numbers, shape, 'float32');
      known.set(trace, (tables = { cos: constant(cos), sin: constant(sin) }));
    }
    return tables;
  };
}

interface RotaryTables {
  readonly cos: Value;
  readonly sin: Value;
}
