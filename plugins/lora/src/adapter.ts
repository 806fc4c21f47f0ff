// The adapter itself: its matrices, how they are initialised, what they add to a weight, and how
// PEFT names them. No graph here: see project.ts.
import { createHash } from 'node:crypto';
import { randomStream } from '@lmflow/sdk';
import type { Adapter, LinearLayer, Model, Parameter } from '@lmflow/sdk/model';
import { rowNorms, scaledDelta } from './dora.ts';
import { adapterConfig, type AdapterTensors } from './peft.ts';
import { loraPlus, type DecidedOptions } from './options.ts';
import type { LoraPair } from './pair.ts';
import { byPattern } from './targets.ts';
import { HEAD, tiedParameter } from './tied.ts';

/** What an adapter consists of beside its options. */
export interface AdapterParts {
  /** The adapted linears. */
  readonly layers: readonly LinearLayer[];
  /** Weights that are trained whole: those of modulesToSave. */
  readonly whole: readonly Parameter[];
  /** Frozen weights of the base that the adapter brings along, by name. */
  readonly replaced: AdapterTensors;
}

export class LoraAdapter implements Adapter {
  readonly name = 'lora';
  readonly pairs: ReadonlyMap<string, LoraPair>;
  readonly #model: Model;
  readonly #options: DecidedOptions;
  readonly #whole: readonly Parameter[];
  /** Frozen weights of the base that the adapter brings along, by name. */
  readonly replaced: AdapterTensors;

  /** Values are initial ones; `assign` replaces them. */
  constructor(
    model: Model,
    { layers, whole, replaced }: AdapterParts,
    options: DecidedOptions,
    seed: number,
  ) {
    this.#model = model;
    this.#options = options;
    this.#whole = whole;
    this.replaced = replaced;
    this.pairs = new Map(layers.map((layer) => [layer.name, makePair(layer, options, seed)]));
  }

  get parameters(): readonly Parameter[] {
    return [
      ...[...this.pairs.values()].flatMap(({ a, b, magnitude }) => [
        a,
        b,
        ...(magnitude ? [magnitude] : []),
      ]),
      ...this.#whole,
    ];
  }

  get signature(): string {
    return JSON.stringify(
      [...this.pairs.values()]
        .map(({ layer: { name }, rank, scale, magnitude }) => [
          name,
          rank,
          scale,
          magnitude !== undefined,
        ])
        .concat(
          this.#whole.map(({ name }) => [name]),
          // constants of the programs
          [...this.replaced].map(([name, { data }]) => [name, hashOf(data)]),
        ),
    );
  }

  /** The pair of the head, which is no linear of a block. */
  get head(): LoraPair | undefined {
    return [...this.pairs.values()].find(({ layer }) => layer.layer === undefined);
  }

  /** For the plan: `LoRA (r 8, alpha 16, 84 linears)`. */
  get method(): string {
    const { r, loraAlpha, useDora, useRslora } = this.#options;
    const parts = [`r ${r}`, `alpha ${loraAlpha}`, ...(useRslora ? ['rslora'] : [])];
    const linears = `${this.pairs.size} linear${this.pairs.size === 1 ? '' : 's'}`;
    return `${useDora ? 'DoRA' : 'LoRA'} (${[...parts, linears].join(', ')})`;
  }

  /** Dropout on the inputs of the matrices while training. */
  get dropout(): number {
    return this.#options.loraDropout;
  }

  save(): ReturnType<Adapter['save']> {
    const tensors = new Map(
      [
        ...this.parameters.map(({ name, shape, data }) => [name, { shape, data }] as const),
        ...[...this.replaced].map(
          ([name, tensor]) => [this.#nameOfReplaced(name), tensor] as const,
        ),
      ].map(([name, tensor]) => [`base_model.model.${name}`, tensor]),
    );
    const tied = tiedParameter(this.#model, this.#whole);
    if (tied) {
      tensors.set(`base_model.model.${HEAD}.weight`, { shape: tied.shape, data: tied.data });
    }
    const modulesToSave = [...new Set([...this.#options.modulesToSave, ...(tied ? [HEAD] : [])])];
    return {
      config: adapterConfig(
        this.#model,
        [...this.pairs.values()].map(({ layer }) => layer),
        { ...this.#options, modulesToSave },
      ),
      tensors,
    };
  }

  delta(weight: string, base: Float32Array): Float32Array | undefined {
    const pair = [...this.pairs.values()].find(({ layer }) => layer.weight === weight);
    const own = this.replaced.get(weight)?.data;
    if (!pair) return own?.map((number, index) => number - base[index]!);
    const update = updateOf(pair);
    const added = pair.magnitude ? scaledDelta(pair, own ?? base, update) : update;
    return own ? added.map((number, index) => number + own[index]! - base[index]!) : added;
  }

  /**
   * Sets DoRA's magnitudes to the norms of the weights as they are: training starts from the base
   * model.
   */
  async measure(): Promise<void> {
    for (const pair of this.pairs.values()) {
      pair.magnitude?.data.set(
        rowNorms(pair.layer, await this.#base(pair.layer.weight), updateOf(pair)),
      );
    }
  }

  async #base(weight: string): Promise<Float32Array> {
    return this.replaced.get(weight)?.data ?? this.#model.read(weight);
  }

  // PEFT puts an adapted module's own weights below base_layer.
  #nameOfReplaced(weight: string): string {
    const module = weight.replace(/\.weight$/, '');
    return this.pairs.has(module) ? `${module}.base_layer.weight` : weight;
  }
}

/** scale B A in the file's layout. */
function updateOf({
  layer: { inFeatures, outFeatures, layout },
  rank,
  scale,
  a,
  b,
}: LoraPair): Float32Array {
  const result = new Float32Array(inFeatures * outFeatures);
  for (let out = 0; out < outFeatures; out++) {
    for (let k = 0; k < rank; k++) {
      const factor = scale * b.data[out * rank + k]!;
      for (let input = 0; input < inFeatures; input++) {
        const place = layout === 'out-in' ? out * inFeatures + input : input * outFeatures + out;
        result[place]! += factor * a.data[k * inFeatures + input]!;
      }
    }
  }
  return result;
}

function makePair(layer: LinearLayer, options: DecidedOptions, seed: number): LoraPair {
  const { name, inFeatures, outFeatures } = layer;
  const rank = byPattern('rankPattern', options.rankPattern, name, options.r);
  const alpha = byPattern('alphaPattern', options.alphaPattern, name, options.loraAlpha);
  const { initLoraWeights } = options;
  const random = randomStream(seed, 'lora', name);
  // PEFT: Kaiming uniform with a = sqrt(5), which is a bound of 1 / sqrt(inFeatures).
  const drawA = (index: number): number =>
    initLoraWeights === 'gaussian'
      ? random.normal(index) / rank
      : (2 * random.uniform(index) - 1) / Math.sqrt(inFeatures);
  const drawB = (index: number): number =>
    initLoraWeights === false
      ? (2 * random.uniform(rank * inFeatures + index) - 1) / Math.sqrt(rank)
      : 0;
  const parameter = (
    part: string,
    shape: readonly [number, number],
    draw: (index: number) => number,
  ): Parameter => ({
    name: `${name}.lora_${part}.weight`,
    shape,
    decay: true,
    data: Float32Array.from({ length: shape[0] * shape[1] }, (_, index) => draw(index)),
  });
  const faster = loraPlus(options);
  return {
    layer,
    rank,
    scale: alpha / (options.useRslora ? Math.sqrt(rank) : rank),
    a: parameter('A', [rank, inFeatures], drawA),
    b: { ...parameter('B', [outFeatures, rank], drawB), ...faster },
    ...(options.useDora
      ? {
          magnitude: {
            name: `${name}.lora_magnitude_vector`,
            shape: [outFeatures],
            decay: true,
            data: new Float32Array(outFeatures),
            ...faster,
          },
        }
      : {}),
  };
}

function hashOf(numbers: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    .digest('hex');
}
