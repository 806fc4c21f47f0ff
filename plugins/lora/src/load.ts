// From options (or an existing PEFT adapter) and a model to the adapter in force.
import { assignParameters, type LinearLayer, type Model, type Parameter } from '@lmflow/sdk/model';
import { LoraAdapter } from './adapter.ts';
import { adapterDoesNotFit, unknownModule } from './errors.ts';
import { loraOptions, loraPlus, type LoraOptions } from './options.ts';
import { readAdapter, TENSOR_FILE, type AdapterTensors } from './peft.ts';
import { carriedWeights } from './replaced.ts';
import { targetLinears } from './targets.ts';
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
  const layers = existing
    ? adaptedLinears(model, existing.tensors, options.adapter!)
    : targetLinears(model.linears, decided);
  const whole = await wholeModules(model, decided);
  const file = `${options.adapter}/${TENSOR_FILE}`;
  const { own, replaced } = await carriedWeights(
    model,
    existing?.tensors ?? new Map(),
    whole,
    file,
  );
  const adapter = new LoraAdapter(model, { layers, whole, replaced }, decided, seed);
  if (existing) await assign(model, adapter.parameters, own, file);
  else await adapter.measure();
  return { adapter, overruled: existing ? overruledBy(existing.options, options) : [] };
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
  parameters: readonly Parameter[],
  tensors: AdapterTensors,
  file: string,
): Promise<void> {
  await assignParameters(parameters, withoutTiedHead(model, parameters, tensors, file), file);
}

// The tensors say which modules are adapted; target_modules of old and new PEFT versions may be
// names, sets or expressions.
function adaptedLinears(model: Model, tensors: AdapterTensors, folder: string): LinearLayer[] {
  const names = new Set(
    [...tensors.keys()].flatMap((name) => /^(.*)\.lora_A\.weight$/.exec(name)?.[1] ?? []),
  );
  const layers = model.linears.filter(({ name }) => names.has(name));
  if (layers.length < names.size) {
    const unknown = [...names].find((name) => layers.every((layer) => layer.name !== name));
    throw adapterDoesNotFit(
      `${folder}/${TENSOR_FILE}`,
      `it adapts ${unknown ?? ''}, which the model does not have`,
    );
  }
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
