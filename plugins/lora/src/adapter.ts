// The adapter itself: its parameters, what it adds to a weight, and its files. No graph here: see
// project.ts, head.ts and replaced.ts.
import { createHash } from 'node:crypto';
import type { Adapter, Model, Parameter } from '@lmflow/sdk/model';
import type { AdapterTensors } from '@lmflow/sdk/peft';
import { rowNorms, scaledDelta } from './dora.ts';
import { biasNotMerged } from './errors.ts';
import type { DecidedOptions } from './options.ts';
import { updateOf, widened, type LoraPair } from './pair.ts';
import { adapterConfig } from './peft.ts';
import type { TokenRows } from './tokens.ts';
import { embeddingWeight, HEAD, HEAD_WEIGHT, tiedParameter } from './tied.ts';

/** What an adapter consists of beside its options. */
export interface AdapterParts {
  readonly pairs: readonly LoraPair[];
  /** Weights that are trained whole: those of modulesToSave. */
  readonly whole: readonly Parameter[];
  /** Single rows of embedding and head that are trained. */
  readonly tokens: readonly TokenRows[];
  /** Frozen weights of the base that the adapter's file has, by name. */
  readonly carried: AdapterTensors;
  /** Others that take the base's place, which every reader makes again. */
  readonly bases: AdapterTensors;
}

export class LoraAdapter implements Adapter {
  readonly name = 'lora';
  readonly pairs: ReadonlyMap<string, LoraPair>;
  readonly #model: Model;
  readonly #options: DecidedOptions;
  readonly #whole: readonly Parameter[];
  readonly #carried: AdapterTensors;
  readonly tokens: readonly TokenRows[];
  /** Frozen weights that take the base's place, by name. */
  readonly replaced: AdapterTensors;

  /** Values are initial ones; `assign` replaces them. */
  constructor(
    model: Model,
    { pairs, whole, tokens, carried, bases }: AdapterParts,
    options: DecidedOptions,
  ) {
    this.#model = model;
    this.#options = options;
    this.#whole = whole;
    this.tokens = tokens;
    this.#carried = carried;
    this.replaced = new Map([...carried, ...bases]);
    this.pairs = new Map(pairs.map((pair) => [pair.layer.name, pair]));
  }

  get parameters(): readonly Parameter[] {
    return [
      ...[...this.pairs.values()].flatMap(({ a, b, bias, magnitude }) => [
        a,
        b,
        ...(bias ? [bias] : []),
        ...(magnitude ? [magnitude] : []),
      ]),
      ...this.#whole,
      ...this.tokens.map(({ parameter }) => parameter),
    ];
  }

  get signature(): string {
    return JSON.stringify(
      [...this.pairs.values()]
        .map(({ layer: { name }, rank, scale, bias, magnitude, initial }) => [
          name,
          rank,
          scale,
          bias !== undefined,
          magnitude !== undefined,
          initial && hashOf(initial.a),
        ])
        .concat(
          this.#whole.map(({ name }) => [name]),
          this.tokens.map(({ weight, indices, base }) => [weight, ...indices, hashOf(base)]),
          [['tied', this.#model.architecture.tiedEmbeddings]],
          // constants of the programs
          [...this.replaced].map(([name, { data }]) => [name, hashOf(data)]),
        ),
    );
  }

  /** The pair of the head, which is no linear of a block. */
  get head(): LoraPair | undefined {
    return this.pairs.get(HEAD);
  }

  /** The pair of the token embedding, which is no linear at all. */
  get embedding(): LoraPair | undefined {
    const weight = embeddingWeight(this.#model);
    return [...this.pairs.values()].find(({ layer }) => layer.weight === weight);
  }

  /** Rows of the head, also where it shares the embedding's weight. */
  get headTokens(): TokenRows | undefined {
    const { tiedEmbeddings } = this.#model.architecture;
    return this.tokens.find(({ weight }) => tiedEmbeddings || weight === HEAD_WEIGHT);
  }

  /** For the plan: `LoRA (r 8, alpha 16, 84 linears)`. */
  get method(): string {
    const { r, loraAlpha, useDora, useRslora, initLoraWeights } = this.#options;
    const started = typeof initLoraWeights === 'string' ? [`from ${initLoraWeights}`] : [];
    const parts = [`r ${r}`, `alpha ${loraAlpha}`, ...(useRslora ? ['rslora'] : []), ...started];
    const count = this.pairs.size - (this.embedding ? 1 : 0);
    const adapted = [
      ...(count > 0 ? [`${count} linear${count === 1 ? '' : 's'}`] : []),
      ...(this.embedding ? ['embedding'] : []),
    ];
    return `${useDora ? 'DoRA' : 'LoRA'} (${[...parts, ...adapted].join(', ')})`;
  }

  /** Dropout on the inputs of the matrices while training. */
  get dropout(): number {
    return this.#options.loraDropout;
  }

  /**
   * What PiSSA and OLoRA take away from the base is saved as a part of the matrices, of twice the
   * rank: so the adapter fits the base as it is.
   */
  save(): ReturnType<Adapter['save']> {
    const pairs = [...this.pairs.values()];
    const saved = new Map<string, { shape: readonly number[]; data: Float32Array }>([
      ...this.parameters.map(
        ({ name, shape, data }) => [this.#savedName(name), { shape, data }] as const,
      ),
      ...[...this.#carried].map(([name, tensor]) => [this.#savedName(name), tensor] as const),
    ]);
    for (const pair of pairs.filter(({ initial }) => initial)) {
      const { a, b } = widened(pair);
      saved.set(pair.a.name, a).set(pair.b.name, b);
    }
    const tied = tiedParameter(this.#model, this.#whole);
    if (tied) saved.set(HEAD_WEIGHT, { shape: tied.shape, data: tied.data });
    const modulesToSave = [...new Set([...this.#options.modulesToSave, ...(tied ? [HEAD] : [])])];
    const ensureWeightTying = tied !== undefined;
    const options = { ...this.#options, modulesToSave, ensureWeightTying };
    return {
      config: adapterConfig(
        this.#model,
        pairs.map(({ layer }) => layer),
        pairs.some(({ initial }) => initial) ? widenedOptions(options) : options,
      ),
      tensors: new Map([...saved].map(([name, tensor]) => [`base_model.model.${name}`, tensor])),
    };
  }

  delta(weight: string, base: Float32Array): Float32Array | undefined {
    const biased = [...this.pairs.values()].find(({ layer }) => layer.bias === weight);
    if (biased?.bias) return biased.bias.data.map((number) => biased.scale * number);
    const pair = [...this.pairs.values()].find(({ layer }) => layer.weight === weight);
    if (pair?.bias && pair.layer.bias === undefined) throw biasNotMerged(pair.layer.name);
    const rows = this.tokens.find((one) => one.weight === weight);
    if (rows) return rowsDelta(rows, base);
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
  #savedName(name: string): string {
    const [, module, part] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
    return module !== undefined && this.pairs.has(module) ? `${module}.base_layer.${part}` : name;
  }
}

/** What the rows add to the base's weight. */
function rowsDelta(
  { indices, parameter: { shape, data } }: TokenRows,
  base: Float32Array,
): Float32Array {
  const width = shape[1]!;
  const delta = new Float32Array(base.length);
  indices.forEach((index, place) => {
    for (let at = 0; at < width; at++) {
      delta[index * width + at] = data[place * width + at]! - base[index * width + at]!;
    }
  });
  return delta;
}

/** Options of pairs of twice the rank with the same scale. */
function widenedOptions(options: DecidedOptions): DecidedOptions {
  const grown = options.useRslora ? Math.SQRT2 : 2;
  const times = (
    numbers: Readonly<Record<string, number>>,
    factor: number,
  ): Record<string, number> =>
    Object.fromEntries(Object.entries(numbers).map(([key, number]) => [key, number * factor]));
  return {
    ...options,
    r: 2 * options.r,
    loraAlpha: grown * options.loraAlpha,
    rankPattern: times(options.rankPattern, 2),
    alphaPattern: times(options.alphaPattern, grown),
  };
}

function hashOf(numbers: Float32Array): string {
  return createHash('sha256')
    .update(new Uint8Array(numbers.buffer, numbers.byteOffset, numbers.byteLength))
    .digest('hex');
}
