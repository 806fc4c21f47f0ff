// Attention of every family: queries, keys and values out of a block's hidden states, rotated,
// attended, projected. The ops themselves are the sdk's.
import type { BuildingFunctions, Trace } from '@lmflow/sdk/model';
import {
  attention,
  cachedAttention,
  concat,
  decodeAttention,
  mul,
  reshape,
  rope,
  slice,
  type Value,
} from '@lmflow/sdk/graph';
import type { Blueprint } from '../architecture/blueprint.ts';
import { ropeTables } from './rope-tables.ts';

/** Attention of normed hidden states [B x T, hidden] to each other, projected back. */
export function selfAttention(blueprint: Blueprint, trace: Trace, x: Value, layer: number): Value {
  const {
    family: { names },
    architecture,
    blocks,
  } = blueprint;
  const { numHeads, numKeyValueHeads, headDim } = architecture;
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

/** What attention is built of, for plugins to wrap. */
export function attentionFunctions({
  architecture,
}: Blueprint): Pick<BuildingFunctions, 'attention' | 'rope' | 'ropeTables'> {
  const tablesOf = rotaryTables();
  return {
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
