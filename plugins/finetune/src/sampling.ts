// Tokens drawn from a model's own distribution, inside the program: the inverse of the cumulative
// distribution at given uniform numbers.
import {
  add,
  broadcastTo,
  cast,
  concat,
  lessOrEqual,
  matMul,
  minimum,
  mul,
  pad,
  reshape,
  slice,
  softmax,
  sub,
  sum,
  takeLast,
  transpose,
  where,
  type Graph,
  type Value,
} from '@lmflow/sdk/graph';

/**
 * Probabilities in memory at once: 16 MB of float32, where that is rows enough for a fast product.
 */
const PROBABILITIES = 1 << 22;
const [FEWEST, MOST] = [16, 512];
/**
 * Tokens whose probabilities are summed first: the cumulative sums of a vocabulary are those of its
 * blocks and of one block.
 */
const BLOCK = 256;

/**
 * A token of each row with the probability softmax(hidden weight^T) gives it. hidden [N, D], weight
 * [V, D], uniform [N] in [0, 1); int32 [N].
 */
export function sampledTokens(hidden: Value, weight: Value, uniform: Value): Value {
  const [[rows, width], size] = [hidden.shape as readonly [number, number], weight.shape[0]!];
  const chunk = Math.min(MOST, Math.max(FEWEST, Math.floor(PROBABILITIES / size)));
  const parts: Value[] = [];
  for (let from = 0; from < rows; from += chunk) {
    const to = Math.min(rows, from + chunk);
    const logits = matMul(slice(hidden, [from, 0], [to, width]), weight, { transposeB: true });
    parts.push(drawn(softmax(logits), slice(uniform, [from], [to])));
  }
  return parts.length === 1 ? parts[0]! : concat(parts, 0);
}

/** The first token at which the cumulative probability of the row exceeds its number. */
function drawn(probabilities: Value, uniform: Value): Value {
  const {
    graph,
    shape: [rows, size],
  } = probabilities as Value & { readonly shape: readonly [number, number] };
  const blocks = Math.ceil(size / BLOCK);
  const inBlocks = reshape(pad(probabilities, [0, 0], [0, blocks * BLOCK - size]), [
    rows,
    blocks,
    BLOCK,
  ]);
  const ofBlock = sum(inBlocks, { axes: [2] });
  const sums = cumulative(graph, ofBlock);
  // Of the sum rather than of 1, from which it differs by roundings.
  const place = mul(reshape(uniform, [rows, 1]), slice(sums, [0, blocks - 1], [rows, blocks]));
  const block = passed(sums, place);
  const rest = sub(place, reshape(takeLast(sub(sums, ofBlock), block), [rows, 1]));
  const within = takeLast(
    transpose(inBlocks, [0, 2, 1]),
    broadcastTo(reshape(block, [rows, 1]), [rows, BLOCK]),
  );
  const token = add(
    mul(cast(block, 'float32'), BLOCK),
    cast(passed(cumulative(graph, within), rest), 'float32'),
  );
  return cast(minimum(token, size - 1), 'int32');
}

/** Sums of the last axis up to each place: a product with a triangle of ones. */
function cumulative(graph: Graph, x: Value): Value {
  const size = x.shape[1]!;
  const ones = Float32Array.from({ length: size * size }, (_, index) =>
    Math.floor(index / size) <= index % size ? 1 : 0,
  );
  return matMul(x, graph.constant(ones, [size, size], 'float32'));
}

/** How many sums of each row the row's place has passed, all but the last at most; int32 [rows]. */
function passed(sums: Value, place: Value): Value {
  const count = sum(where(lessOrEqual(sums, place), 1, 0), { axes: [1] });
  return cast(minimum(count, sums.shape[1]! - 1), 'int32');
}
