// From options (or an existing PEFT adapter) and a model to the adapter in force.
import { assignParameters, type LinearLayer, type Model, type Parameter } from '@lmflow/sdk/model';
import { LoraAdapter } from './adapter.ts';
import {
  adapterDoesNotFit,
  adapterUnsupported,
  baseClaimed,
  initialisationRefused,
  matricesMissing,
  unknownModule,
} from './errors.ts';
import { initialisationOf } from './initialisations.ts';
import { loraOptions, loraPlus, type LoraOptions } from './options.ts';
import { fillFromWidened } from './pair.ts';
import { TENSOR_FILE, type AdapterTensors } from './peft.ts';
import { readAdapter, type ReadAdapter } from './read.ts';
import { carriedWeights } from './replaced.ts';
import { startPairs } from './start.ts';
import { namedLinears, targetLinears } from './targets.ts';
import { HEAD, tiedParameter, withoutTiedHead } from './tied.ts';

export interface LoadedAdapter {
  readonly adapter: LoraAdapter;
  /** Options that were set to something else than what the existing adapter has, which decides. */
  readonly overruled: readonly string[];
}

/** Makes the adapter: fresh, or continuing `options.adapter`. */
export async function loadAdapter(
  model: Model,
  options: LoraOptions,
  seed: number,
): Promise<LoadedAdapter> {
  const existing = options.adapter === undefined ? undefined : await readAdapter(options.adapter);
  const merged = { ...options, ...existing?.options };
  const decided = { ...merged, loraAlpha: merged.loraAlpha ?? 2 * merged.r };
  const file = `${options.adapter}/${TENSOR_FILE}`;
  const whole = await wholeModules(model, decided);
  const { own, carried } = await carriedWeights(model, existing?.tensors ?? new Map(), whole, file);
  const layers = existing
    ? adaptedLinears(model, existing, whole, file)
    : targetLinears(model.linears, decided);
  checkInitialisation(model, layers, decided);
  const started = await startPairs(model, layers, {
    options: decided,
    seed,
    existing: existing && file,
    carried,
  });
  const adapter = new LoraAdapter(model, { ...started, whole }, decided);
  if (existing) await assign(model, adapter, own, file);
  else await adapter.measure();
  return { adapter, overruled: existing ? overruledBy(existing.options, options) : [] };
}

/** Throws for what an initialisation that changes the base cannot be combined with. */
function checkInitialisation(
  model: Model,
  layers: readonly LinearLayer[],
  { initLoraWeights, useDora }: LoraOptions,
): void {
  const { row } = initialisationOf(initLoraWeights)!;
  if (!row.changesBase) return;
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

/** The linears whose matrices a file has: all that its settings name, and no others. */
function adaptedLinears(
  model: Model,
  { tensors, modules }: ReadAdapter,
  whole: readonly Parameter[],
  file: string,
): LinearLayer[] {
  const names = new Set(
    [...tensors.keys()].flatMap((name) => /^(.*)\.lora_A\.weight$/.exec(name)?.[1] ?? []),
  );
  const layers = model.linears.filter(({ name }) => names.has(name));
  if (layers.length < names.size) {
    const unknown = [...names].find((name) => layers.every((layer) => layer.name !== name));
    throw adapterDoesNotFit(file, `it adapts ${unknown ?? ''}, which the model does not have`);
  }
  const embedding = [...tensors.keys()].find((name) => name.includes('.lora_embedding_'));
  if (embedding !== undefined) throw adapterUnsupported(file, 'target_modules', embedding);
  // PEFT trains a module that both settings name whole.
  const trained = new Set(whole.map(({ name }) => name));
  const missing = (namedLinears(model.linears, modules) ?? [])
    .filter(({ name, weight }) => !names.has(name) && !trained.has(weight))
    .map(({ name }) => name);
  if (missing.length > 0) throw matricesMissing(file, missing, names.size === 0);
  if (tensors.size === 0) throw adapterDoesNotFit(file, 'it has no tensors');
  return layers;
}

/** The weights of modules that are trained whole, as parameters that replace them in the graph. */
async function wholeModules(model: Model, options: LoraOptions): Promise<Parameter[]> {
  const { modulesToSave } = options;
  const namesOf = (module: string): string[] =>
    [...model.weights.keys()].filter((name) => {
      const path = name.replace(/\.(weight|bias)$/, '');
      return path === module || path.endsWith(`.${module}`);
    });
  const whole = await Promise.all(
    [...new Set(modulesToSave.flatMap(namesOf))].map(async (name): Promise<Parameter> => {
      const { shape } = model.weights.get(name)!;
      return {
        name,
        shape,
        data: await model.read(name),
        decay: shape.length > 1,
        ...(shape.length > 1 ? {} : loraPlus(options)),
      };
    }),
  );
  // A tied head goes with the embedding; users of PEFT name both.
  const unknown = modulesToSave.find(
    (module) => namesOf(module).length === 0 && !(module === HEAD && tiedParameter(model, whole)),
  );
  if (unknown !== undefined) {
    throw unknownModule('modulesToSave', unknown, [
      ...new Set([...model.weights.keys()].map((name) => name.split('.').at(-2)!)),
    ]);
  }
  return whole;
}
