// From options (or an existing PEFT adapter) and a model to the adapter in force.
import { assignParameters, type LinearLayer, type Model } from '@lmflow/sdk/model';
import {
  adaptedLinears,
  adapterDoesNotFit,
  CONFIG_FILE,
  TENSOR_FILE,
  type AdapterTensors,
} from '@lmflow/sdk/peft';
import { LoraAdapter } from './adapter.ts';
import { baseClaimed, embeddingRefused, initialisationRefused, tyingRefused } from './errors.ts';
import { initialisationOf } from './initialisations.ts';
import { loraOptions, type LoraOptions } from './options.ts';
import { fillFromWidened } from './pair.ts';
import { readAdapter, type ReadAdapter } from './read.ts';
import { carriedWeights, forTheOther } from './replaced.ts';
import { startPairs } from './start.ts';
import { targetLinears } from './targets.ts';
import {
  adaptable,
  embeddingWeight,
  HEAD,
  HEAD_WEIGHT,
  trainsTied,
  untie,
  withoutTiedHead,
} from './tied.ts';
import { namedTokens, tokenRows } from './tokens.ts';
import { trainedBiases, wholeNames, wholeParameters } from './whole.ts';

export interface LoadedAdapter {
  readonly adapter: LoraAdapter;
  /** Options that were set to something else than what the existing adapter has, which decides. */
  readonly overruled: readonly string[];
}

/**
 * Makes the adapter: fresh, or continuing `options.adapter`. A model whose tied head and embedding it
 * takes apart has a head of its own afterwards.
 */
export async function loadAdapter(
  model: Model,
  options: LoraOptions,
  seed: number,
): Promise<LoadedAdapter> {
  const existing =
    options.adapter === undefined ? undefined : await readAdapter(options.adapter, model);
  const merged = withScore(model, { ...options, ...existing?.options });
  const decided = { ...merged, loraAlpha: merged.loraAlpha ?? 2 * merged.r };
  const file = `${options.adapter}/${TENSOR_FILE}`;
  const named = wholeNames(model, decided, existing !== undefined);
  const tied = model.architecture.tiedEmbeddings;
  const tying = trainsTied(model, named, decided, existing !== undefined);
  const trained = tying ? new Set([...named, embeddingWeight(model)!, HEAD_WEIGHT]) : named;
  const layers = existing
    ? linearsOf(model, existing, trained, file)
    : // PEFT trains a module that both settings name whole.
      targetLinears(adaptable(model), decided).filter(({ weight }) => !trained.has(weight));
  checkCombination(model, layers, decided);
  const tokens = namedTokens(model, decided);
  const apart = (!tying && takesApart(model, named, layers)) || (tied && tokens.has(HEAD_WEIGHT));
  if (apart) {
    const pair = layers.find(({ layer }) => layer === undefined);
    if (decided.ensureWeightTying && !existing && pair) throw tyingRefused(pair.name);
    untie(model);
  }
  const names = [...trained].filter((name) => !tying || name !== HEAD_WEIGHT);
  const modules = await wholeParameters(model, names, decided);
  const whole = [...modules, ...(await trainedBiases(model, layers, decided, modules))];
  const tensors = existing?.tensors ?? new Map();
  const { own, carried } = await carriedWeights(model, tensors, whole, file);
  const started = await startPairs(model, layers, {
    options: decided,
    seed,
    existing: existing && file,
    settings: existing && `${options.adapter}/${CONFIG_FILE}`,
    carried,
  });
  const shared = apart ? forTheOther(model, carried, trained) : [];
  const bases = new Map([...started.bases, ...shared]);
  const otherwise = new Set([
    ...trained,
    ...layers.map(({ weight }) => weight),
    ...carried.keys(),
    ...bases.keys(),
  ]);
  const rows = await tokenRows(model, tokens, otherwise);
  const adapter = new LoraAdapter(model, { ...started, bases, whole, tokens: rows }, decided);
  if (existing) await assign(model, adapter, own, file);
  else await adapter.measure();
  return { adapter, overruled: existing ? overruledBy(existing.options, options) : [] };
}

/** A classifier's head is trained whole, as PEFT does where the task is SEQ_CLS. */
function withScore(model: Model, options: LoraOptions): LoraOptions {
  const { modulesToSave } = options;
  if (model.architecture.labels === undefined || modulesToSave.includes('score')) return options;
  return { ...options, modulesToSave: [...modulesToSave, 'score'] };
}

/** Whether a head that shares the embedding's weight is changed apart from it, or the other way. */
function takesApart(
  model: Model,
  whole: ReadonlySet<string>,
  layers: readonly LinearLayer[],
): boolean {
  if (!model.architecture.tiedEmbeddings) return false;
  const changed = [...whole, ...layers.map(({ weight }) => weight)];
  return changed.some((name) => name === HEAD_WEIGHT || name === embeddingWeight(model));
}

/** Throws for what the embedding, or an initialisation that changes the base, does not go with. */
function checkCombination(
  model: Model,
  layers: readonly LinearLayer[],
  { initLoraWeights, useDora, loraBias }: LoraOptions,
): void {
  const { row } = initialisationOf(initLoraWeights)!;
  const embedding = layers.find(({ weight }) => weight === embeddingWeight(model));
  if (embedding && loraBias) throw embeddingRefused('lora.loraBias', embedding.name);
  if (!row.changesBase) return;
  if (embedding) throw initialisationRefused(row.name, `matrices for ${embedding.name}`);
  if (model.architecture.tiedEmbeddings && layers.some(({ name }) => name === HEAD)) {
    throw initialisationRefused(row.name, 'a head that shares the weight of the embedding');
  }
  if (row.name !== 'loftq') {
    if (useDora) throw initialisationRefused(row.name, 'useDora');
    return;
  }
  const conv = layers.find(({ layout }) => layout === 'in-out');
  if (conv) throw initialisationRefused(row.name, `${conv.name}, whose weight lies transposed`);
  for (const { plugin, linears } of model.claims) {
    const claimed = layers.find(({ name }) => linears.includes(name));
    if (claimed) throw baseClaimed('lora.initLoraWeights "loftq"', claimed.name, plugin);
  }
}

function overruledBy(existing: Partial<LoraOptions>, options: LoraOptions): string[] {
  const defaults = loraOptions.parse({});
  const differs = (a: unknown, b: unknown): boolean => JSON.stringify(a) !== JSON.stringify(b);
  const keys = [
    ...Object.keys(existing),
    'targetModules',
    'excludeModules',
    'layersToTransform',
    'initLoraWeights',
  ] as (keyof LoraOptions)[];
  return keys.filter(
    (key) => differs(options[key], defaults[key]) && differs(options[key], existing[key]),
  );
}

/** Copies an adapter's tensors into its parameters; every one must be there, and no other. */
export async function assign(
  model: Model,
  adapter: LoraAdapter,
  given: AdapterTensors,
  file: string,
): Promise<void> {
  const tensors = new Map(withoutTiedHead(model, adapter.parameters, given, file));
  for (const pair of adapter.pairs.values()) {
    const [a, b] = [tensors.get(pair.a.name), tensors.get(pair.b.name)];
    if (!pair.initial || a?.shape[0] !== 2 * pair.rank || !b) continue;
    fillFromWidened(pair, a.data, b.data);
    tensors.set(pair.a.name, pair.a).set(pair.b.name, pair.b);
  }
  await assignParameters(adapter.parameters, tensors, file);
}

/** The linears and the embedding whose matrices a file has: all that its settings name, and no others. */
function linearsOf(
  model: Model,
  { tensors, modules }: ReadAdapter,
  whole: ReadonlySet<string>,
  file: string,
): LinearLayer[] {
  const matrices = [...tensors.keys()].flatMap(
    (name) => /^(.*)\.lora_(?:A\.weight|embedding_A)$/.exec(name)?.[1] ?? [],
  );
  const layers = adaptedLinears(adaptable(model), {
    names: new Set(matrices),
    modules,
    whole,
    file,
  });
  if (tensors.size === 0) throw adapterDoesNotFit(file, 'it has no tensors');
  return layers;
}
