// From a family's row and a config.json: the architecture's figures, its linears, and every tensor
// with its shape. No weights yet.
import { didYouMean } from '@lmflow/sdk';
import type { Architecture, LinearLayer } from '@lmflow/sdk/model';
import type { Shape } from '@lmflow/sdk/graph';
import { familyUnsupported, settingUnsupported } from '../errors.ts';
import type { ModelFamilies, ModelFamily } from '../families/family.ts';
import { checkActivation } from './activation.ts';
import { classifierClass, labelsOf, SCORE } from './classifier.ts';
import { ConfigReader } from './config.ts';
import { readRope } from './rope.ts';

/** The linears of one block. */
export interface BlockLinears {
  /** q, k, v; or one fused linear. */
  readonly attention: readonly LinearLayer[];
  readonly attentionOutput: LinearLayer;
  /** gate, up; or up alone. */
  readonly mlp: readonly LinearLayer[];
  readonly down: LinearLayer;
}

/** All that is needed to check a checkpoint and to build a graph. */
export interface Blueprint {
  readonly family: ModelFamily;
  readonly architecture: Architecture;
  readonly activation: string;
  readonly windows: readonly (number | undefined)[];
  /** Factor of the attention scores of each layer, where it is not 1 / sqrt(headDim). */
  readonly scales: readonly (number | undefined)[];
  readonly blocks: readonly BlockLinears[];
  readonly linears: readonly LinearLayer[];
  /** For tokens, or for a classifier's labels. */
  readonly head: LinearLayer;
  /** Every tensor a checkpoint must have. */
  readonly tensors: ReadonlyMap<string, Shape>;
}

/** The architecture that a config.json says; `file` is named in errors. */
export function architectureOf(
  config: Readonly<Record<string, unknown>>,
  file: string,
  families: ModelFamilies,
): Architecture {
  return readBlueprint(new ConfigReader(file, config), families).architecture;
}

/** Reads config.json; throws LMFLOW_MODEL_UNSUPPORTED or LMFLOW_MODEL_CONFIG naming the key. */
export function readBlueprint(config: ConfigReader, families: ModelFamilies): Blueprint {
  const family = familyOf(config, families);
  for (const { key, harmless, reason } of family.refusals) config.refuse(key, harmless, reason);
  const windows = family.windows?.(config, layerCount(config, family)) ?? [];
  const architecture = readArchitecture(config, family, windows);
  const layers = Array.from({ length: architecture.numLayers }, (_, layer) => layer);
  const blocks = layers.map((layer) => blockLinears(family, architecture, config, layer));
  const headName = architecture.labels === undefined ? family.names.head : SCORE;
  const head: LinearLayer = {
    name: headName,
    weight: `${headName}.weight`,
    layout: 'out-in',
    inFeatures: architecture.hiddenSize,
    outFeatures: architecture.labels ?? architecture.vocabularySize,
  };
  const linears = [
    ...blocks.flatMap(({ attention, attentionOutput, mlp, down }) => [
      ...attention,
      attentionOutput,
      ...mlp,
      down,
    ]),
    ...(architecture.tiedEmbeddings ? [] : [head]),
  ];
  return {
    family,
    architecture,
    windows,
    blocks,
    linears,
    head,
    activation: checkActivation(
      config.file,
      family.keys.activation,
      config.text(family.keys.activation, family.defaults.activation),
    ),
    scales: layers.map((layer) => family.attentionScale?.(config, layer, architecture.headDim)),
    tensors: expectedTensors(family, architecture, linears),
  };
}

function familyOf(config: ConfigReader, families: ModelFamilies): ModelFamily {
  const modelType = config.get('model_type');
  const family = typeof modelType === 'string' ? families.get(modelType) : undefined;
  if (!family) {
    throw familyUnsupported(
      config.file,
      modelType,
      families.names(),
      typeof modelType === 'string' ? didYouMean(modelType, families.names()) : undefined,
    );
  }
  const classes = config.get('architectures') ?? [];
  if (!Array.isArray(classes)) throw config.invalid('architectures', 'a list of class names');
  const known = [...family.classes, classifierClass(family)];
  if (classes.length > 0 && !classes.some((name) => known.includes(name as string))) {
    throw settingUnsupported(
      config.file,
      'architectures',
      classes,
      `only language models (${family.classes.join(', ')}) are supported`,
    );
  }
  return family;
}

function readArchitecture(
  config: ConfigReader,
  family: ModelFamily,
  windows: readonly (number | undefined)[],
): Architecture {
  const { keys, defaults } = family;
  const hiddenSize = config.count(keys.hiddenSize, defaults.hiddenSize);
  const numHeads = config.count(keys.numHeads, defaults.numHeads);
  const numKeyValueHeads = keyValueHeads(config, family, numHeads);
  const headDim = config.count('head_dim', defaults.headDim ?? hiddenSize / numHeads);
  if (!Number.isInteger(headDim)) {
    throw config.invalid(keys.numHeads, `a divisor of ${keys.hiddenSize} (${hiddenSize})`);
  }
  if (numHeads % numKeyValueHeads !== 0) {
    throw config.invalid('num_key_value_heads', `a divisor of ${keys.numHeads} (${numHeads})`);
  }
  const used = windows.filter((window) => window !== undefined);
  const labels = labelsOf(config, family);
  return {
    family: family.name,
    hiddenSize,
    numHeads,
    numKeyValueHeads,
    headDim,
    intermediateSize: config.count(
      keys.intermediateSize,
      defaults.intermediateFactor
        ? defaults.intermediateFactor * hiddenSize
        : defaults.intermediateSize,
    ),
    numLayers: layerCount(config, family),
    vocabularySize: config.count('vocab_size', defaults.vocabularySize),
    maxPositions: config.count(keys.maxPositions, defaults.maxPositions),
    normEpsilon: config.positive(keys.normEpsilon, defaults.normEpsilon),
    // a classifier keeps the key, and has no head that could be tied
    tiedEmbeddings:
      config.flag('tie_word_embeddings', defaults.tiedEmbeddings) && labels === undefined,
    ...(labels === undefined ? {} : { labels }),
    ...(used.length > 0 ? { window: Math.max(...used) } : {}),
    ...(used.length > 0 && used.length < windows.length ? { layerWindows: windows } : {}),
    ...(family.positions === 'rotary'
      ? {
          rope: readRope(
            withMaxPositions(config, defaults.maxPositions),
            headDim,
            defaults.ropeTheta,
          ),
        }
      : {}),
  };
}

/** No model has more blocks; far more would take all memory before a tensor is missed. */
const MOST_LAYERS = 10_000;

function layerCount(config: ConfigReader, { keys, defaults }: ModelFamily): number {
  const layers = config.count(keys.numLayers, defaults.numLayers);
  if (layers > MOST_LAYERS) throw config.invalid(keys.numLayers, `at most ${MOST_LAYERS}`);
  return layers;
}

// null means as many as heads; an absent key means the family's default.
function keyValueHeads(
  config: ConfigReader,
  { layout, defaults }: ModelFamily,
  numHeads: number,
): number {
  if (layout === 'in-out' || config.values['num_key_value_heads'] === null) return numHeads;
  return config.count('num_key_value_heads', defaults.numKeyValueHeads ?? numHeads);
}

// Kinds of rope scaling that go by the context length see the family's default too.
function withMaxPositions(config: ConfigReader, fallback: number): ConfigReader {
  if (config.get('max_position_embeddings') !== undefined) return config;
  return new ConfigReader(config.file, { ...config.values, max_position_embeddings: fallback });
}

function blockLinears(
  family: ModelFamily,
  architecture: Architecture,
  config: ConfigReader,
  layer: number,
): BlockLinears {
  const { names, layout } = family;
  const { hiddenSize, intermediateSize, numHeads, numKeyValueHeads, headDim } = architecture;
  const biases = family.biases(config);
  const linear = (
    path: string,
    inFeatures: number,
    outFeatures: number,
    bias: boolean,
  ): LinearLayer => {
    const name = `${names.block(layer)}.${path}`;
    return {
      name,
      inFeatures,
      outFeatures,
      weight: `${name}.weight`,
      ...(bias ? { bias: `${name}.bias` } : {}),
      layout,
      layer,
    };
  };
  const [queries, keys] = [numHeads * headDim, numKeyValueHeads * headDim];
  const widths = names.attention.length === 1 ? [queries + 2 * keys] : [queries, keys, keys];
  return {
    attention: names.attention.map((path, index) =>
      linear(path, hiddenSize, widths[index]!, biases.attention),
    ),
    attentionOutput: linear(names.attentionOutput, queries, hiddenSize, biases.attentionOutput),
    mlp: [...(names.gate === undefined ? [] : [names.gate]), names.up].map((path) =>
      linear(path, hiddenSize, intermediateSize, biases.mlp),
    ),
    down: linear(names.down, intermediateSize, hiddenSize, biases.mlp),
  };
}

function expectedTensors(
  family: ModelFamily,
  architecture: Architecture,
  linears: readonly LinearLayer[],
): Map<string, Shape> {
  const { names } = family;
  const { hiddenSize, headDim, vocabularySize, maxPositions, numLayers } = architecture;
  const tensors = new Map<string, Shape>([
    [`${names.embedding}.weight`, [vocabularySize, hiddenSize]],
  ]);
  if (names.positions !== undefined) {
    tensors.set(`${names.positions}.weight`, [maxPositions, hiddenSize]);
  }
  const norm = (name: string, width: number): void => {
    tensors.set(`${name}.weight`, [width]);
    if (family.norm === 'layer') tensors.set(`${name}.bias`, [width]);
  };
  for (let layer = 0; layer < numLayers; layer++) {
    const block = names.block(layer);
    norm(`${block}.${names.attentionNorm}`, hiddenSize);
    norm(`${block}.${names.mlpNorm}`, hiddenSize);
    for (const name of names.headNorms ?? []) norm(`${block}.${name}`, headDim);
  }
  norm(names.finalNorm, hiddenSize);
  for (const { weight, bias, layout, inFeatures, outFeatures } of linears) {
    tensors.set(
      weight,
      layout === 'out-in' ? [outFeatures, inFeatures] : [inFeatures, outFeatures],
    );
    if (bias !== undefined) tensors.set(bias, [outFeatures]);
  }
  return tensors;
}
