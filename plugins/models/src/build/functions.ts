// The building functions of every family: pre-norm decoder blocks over the graph. They call each
// other only through `model.build`, so that plugins can wrap any of them. Those of attention are in
// attention.ts. Dropout rates in config.json are not applied: finetuning runs without, as is usual.
import { didYouMean } from '@lmflow/sdk';
import { floatWeight, parameterValue, type BuildingFunctions } from '@lmflow/sdk/model';
import {
  add,
  cast,
  gather,
  layerNorm,
  matMul,
  mul,
  reshape,
  rmsNorm,
  swiglu,
  type Value,
} from '@lmflow/sdk/graph';
import type { Blueprint } from '../architecture/blueprint.ts';
import { ACTIVATIONS } from '../architecture/activation.ts';
import { tooLong, weightUnknown } from '../errors.ts';
import { attentionFunctions, selfAttention } from './attention.ts';

/** The building functions of a blueprint. */
export function buildingFunctions(blueprint: Blueprint): BuildingFunctions {
  return {
    ...endFunctions(blueprint),
    ...blockFunctions(blueprint),
    ...attentionFunctions(blueprint),
    ...linearFunctions,
  };
}

/** What is before and after the blocks: tokens to hidden states, hidden states to logits. */
function endFunctions({
  family: { names },
  architecture,
  head,
}: Blueprint): Pick<BuildingFunctions, 'embed' | 'head' | 'logits'> {
  const { hiddenSize } = architecture;
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

    head(trace, hidden) {
      const { build } = trace.model;
      return {
        hidden: build.norm(trace, hidden, names.finalNorm),
        weight: build.weight(
          trace,
          trace.model.architecture.tiedEmbeddings ? `${names.embedding}.weight` : head.weight,
        ),
      };
    },

    logits: (_trace, { hidden, weight }) => matMul(hidden, weight, { transposeB: true }),
  };
}

/** A block and its parts apart from attention. */
function blockFunctions(blueprint: Blueprint): Pick<BuildingFunctions, 'block' | 'norm' | 'mlp'> {
  const { family, architecture, blocks } = blueprint;
  const { names } = family;
  const { intermediateSize, normEpsilon } = architecture;
  const activation = ACTIVATIONS[blueprint.activation]!;
  const gated =
    blueprint.activation === 'silu' || blueprint.activation === 'swish'
      ? swiglu
      : (gate: Value, up: Value): Value => mul(activation(gate), up);
  return {
    block(trace, hidden, layer) {
      const { build } = trace.model;
      const path = names.block(layer);
      return trace.graph.region(`layer.${layer}`, () => {
        const attended = add(
          hidden,
          selfAttention(
            blueprint,
            trace,
            build.norm(trace, hidden, `${path}.${names.attentionNorm}`),
            layer,
          ),
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

    mlp(trace, x, layer) {
      const { build } = trace.model;
      const linears = blocks[layer]!;
      const [first, up] = build.project(trace, x, linears.mlp) as [Value, Value | undefined];
      const inner = up ? gated(first, up) : activation(first);
      return build.project(trace, reshape(inner, [x.shape[0]!, intermediateSize]), [
        linears.down,
      ])[0]!;
    },
  };
}

/** Linears and the weights that they read: the same for every blueprint. */
const linearFunctions: Pick<BuildingFunctions, 'project' | 'matmul' | 'weight'> = {
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
};

/** Rows of a table. Of a table stored in 16 bits only the rows that are looked up are converted. */
function lookUp(table: Value, indices: Value): Value {
  const { source } = table;
  const stored =
    source.kind === 'node' && source.node.op.name === 'cast' ? source.node.inputs[0]! : undefined;
  return stored?.source.kind === 'weight'
    ? cast(gather(stored, indices), 'float32')
    : gather(table, indices);
}
