// The pairs of an adapter at the start: ranks and scales by the options, numbers by initLoraWeights
// (initialisations.ts).
import { randomStream } from '@lmflow/sdk';
import { outputRows, type LinearLayer, type Model, type Parameter } from '@lmflow/sdk/model';
import { adapterDoesNotFit, type AdapterTensors } from '@lmflow/sdk/peft';
import type { AdapterParts } from './adapter.ts';
import { rankTooLarge } from './errors.ts';
import {
  embeddingStart,
  initialisationOf,
  type Start,
  type StartRequest,
} from './initialisations.ts';
import { loraPlus, loraPlusEmbedding, type DecidedOptions } from './options.ts';
import { initialUpdate, type LoraPair } from './pair.ts';
import { byPattern } from './targets.ts';
import { embeddingWeight } from './tied.ts';

export interface StartOptions {
  readonly options: DecidedOptions;
  readonly seed: number;
  /** The matrices are read from this file: only what the base then is has to be made. */
  readonly existing?: string | undefined;
  /** The file of the settings, where they are of an adapter folder. */
  readonly settings?: string | undefined;
  /** Weights of the base that the file has. */
  readonly carried: AdapterTensors;
}

/**
 * The pairs, the base's weights as the initialisation leaves them (LoftQ), and those of the file
 * that the initialisation does not explain.
 */
export async function startPairs(
  model: Model,
  layers: readonly LinearLayer[],
  given: StartOptions,
): Promise<Pick<AdapterParts, 'pairs' | 'carried' | 'bases'>> {
  const names = layers.map(({ name }) => name);
  const { rankPattern, alphaPattern } = given.options;
  const ranks = byPattern('rankPattern', rankPattern, names, given.settings);
  const alphas = byPattern('alphaPattern', alphaPattern, names, given.settings);
  const pairs: LoraPair[] = [];
  const bases = new Map<string, { shape: readonly number[]; data: Float32Array }>();
  const carried = new Map(given.carried);
  for (const layer of layers) {
    const { r, loraAlpha } = given.options;
    const { pair, base } = await startPair(model, layer, {
      ...given,
      rank: ranks.get(layer.name) ?? r,
      alpha: alphas.get(layer.name) ?? loraAlpha,
    });
    pairs.push(pair);
    const { shape } = model.weights.get(layer.weight)!;
    if (base) bases.set(layer.weight, { shape, data: base });
    const saved = carried.get(layer.weight);
    if (!saved || !(base || pair.initial)) continue;
    await checkBase(model, pair, { base, saved: saved.data, file: given.existing! });
    carried.delete(layer.weight);
  }
  return { pairs, carried, bases };
}

async function startPair(
  model: Model,
  layer: LinearLayer,
  given: StartOptions & { readonly rank: number; readonly alpha: number },
): Promise<{ readonly pair: LoraPair; readonly base: Float32Array | undefined }> {
  const { options, rank, alpha } = given;
  const { name, inFeatures, outFeatures } = layer;
  const scale = alpha / (options.useRslora ? Math.sqrt(rank) : rank);
  const start = await startOf(model, layer, { ...given, scale });
  const [faster, embedded] = [loraPlus(options), loraPlusEmbedding(options)];
  const parameter = (part: string, shape: readonly number[], data: Float32Array): Parameter => ({
    name: `${name}.lora_${part}`,
    shape,
    decay: true,
    data,
  });
  const magnitude = parameter('magnitude_vector', [outFeatures], new Float32Array(outFeatures));
  const pair: LoraPair = {
    layer,
    rank,
    scale,
    ...(isEmbedding(model, layer)
      ? {
          a: { ...parameter('embedding_A', [rank, inFeatures], start.a), ...embedded },
          b: { ...parameter('embedding_B', [outFeatures, rank], start.b), ...embedded },
        }
      : {
          a: parameter('A.weight', [rank, inFeatures], start.a),
          b: { ...parameter('B.weight', [outFeatures, rank], start.b), ...faster },
        }),
    ...(start.base === 'lacks it' ? { initial: { a: start.a.slice(), b: start.b.slice() } } : {}),
    ...(options.loraBias
      ? {
          bias: {
            ...parameter('B.bias', [outFeatures], new Float32Array(outFeatures)),
            decay: false,
            ...faster,
          },
        }
      : {}),
    ...(options.useDora ? { magnitude: { ...magnitude, ...faster } } : {}),
  };
  return { pair, base: start.base === 'lacks it' ? undefined : start.base };
}

function isEmbedding(model: Model, { weight }: LinearLayer): boolean {
  return weight === embeddingWeight(model);
}

async function startOf(
  model: Model,
  layer: LinearLayer,
  {
    options,
    seed,
    existing,
    rank,
    scale,
  }: StartOptions & { readonly rank: number; readonly scale: number },
): Promise<Start> {
  const { name, inFeatures, outFeatures } = layer;
  const { row, iterations } = initialisationOf(options.initLoraWeights)!;
  const [sizeA, sizeB] = [rank * inFeatures, outFeatures * rank];
  if (existing !== undefined && !row.changesBase) {
    return { a: new Float32Array(sizeA), b: new Float32Array(sizeB), base: undefined };
  }
  const shorter = Math.min(inFeatures, outFeatures);
  if (row.changesBase && rank > shorter) throw rankTooLarge(row.name, name, rank, shorter);
  const random = randomStream(seed, 'lora', name);
  const request: StartRequest = {
    rank,
    scale,
    inFeatures,
    outFeatures,
    uniform: (index) => random.uniform(index),
    normal: (index) => random.normal(index),
    weight: async () => {
      const data = outputRows(await model.read(layer.weight), layer);
      return { data, rows: outFeatures, columns: inFeatures };
    },
    iterations: row.name === 'loftq' ? options.loftqConfig.loftqIter : iterations,
  };
  return isEmbedding(model, layer) ? embeddingStart(row, request) : row.start(request);
}

/** Two ways to compute a base differ by less than this, relative to its largest number. */
const ROUNDING = 1e-3;

/** PEFT saves an adapted head as the initialisation left it; nothing else can be put together. */
async function checkBase(
  model: Model,
  pair: LoraPair,
  {
    base,
    saved,
    file,
  }: {
    readonly base: Float32Array | undefined;
    readonly saved: Float32Array;
    readonly file: string;
  },
): Promise<void> {
  const { weight, name } = pair.layer;
  const read = await model.read(weight);
  const taken = pair.initial && initialUpdate(pair);
  const wanted = base ?? read.map((number, index) => number - taken![index]!);
  const limit = ROUNDING * read.reduce((largest, one) => Math.max(largest, Math.abs(one)), 0);
  if (saved.some((number, index) => !(Math.abs(number - wanted[index]!) <= limit))) {
    throw adapterDoesNotFit(
      file,
      `its ${name}.base_layer.weight is not what its init_lora_weights makes of the base's`,
    );
  }
}
