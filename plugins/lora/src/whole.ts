// Weights that are trained whole beside an adapter: those of modulesToSave, and biases.
import type { LinearLayer, Model, Parameter } from '@lmflow/sdk/model';
import { unknownModule } from './errors.ts';
import { loraPlus, type LoraOptions } from './options.ts';
import { weightNames } from './tied.ts';

/**
 * Names of the weights of modulesToSave. Throws LMFLOW_LORA_UNKNOWN_MODULE for a name of nothing; an
 * existing adapter's are passed over, as in PEFT.
 */
export function wholeNames(
  model: Model,
  { modulesToSave }: LoraOptions,
  existing: boolean,
): ReadonlySet<string> {
  const names = modulesToSave.map((module) => weightsOf(model, module));
  const unknown = modulesToSave[names.findIndex((found) => found.length === 0)];
  if (unknown !== undefined && !existing) {
    throw unknownModule('modulesToSave', unknown, [
      ...new Set(weightNames(model).map((name) => name.split('.').at(-2)!)),
    ]);
  }
  return new Set(names.flat());
}

/** Weights as parameters that replace them in the graph. */
export function wholeParameters(
  model: Model,
  names: Iterable<string>,
  options: LoraOptions,
): Promise<Parameter[]> {
  return Promise.all([...names].map((name) => parameterOf(model, name, options)));
}

/** The biases that the option names and that are not `whole` already. */
export async function trainedBiases(
  model: Model,
  layers: readonly LinearLayer[],
  options: LoraOptions,
  whole: readonly Parameter[],
): Promise<Parameter[]> {
  const adapted = new Set(layers.flatMap(({ bias }) => bias ?? []));
  const taken = new Set(whole.map(({ name }) => name));
  const names = [...model.weights.keys()].filter(
    (name) =>
      !taken.has(name) &&
      ((options.bias === 'all' && name.endsWith('.bias')) ||
        (options.bias === 'lora_only' && adapted.has(name))),
  );
  return wholeParameters(model, names, options);
}

/** PEFT takes every module whose path ends with the text, and all that lies below it. */
function weightsOf(model: Model, module: string): string[] {
  return weightNames(model).filter((name) => {
    const parts = name.split('.').slice(0, -1);
    return parts.some((_, index) =>
      parts
        .slice(0, index + 1)
        .join('.')
        .endsWith(module),
    );
  });
}

async function parameterOf(model: Model, name: string, options: LoraOptions): Promise<Parameter> {
  const { shape } = model.weights.get(name)!;
  return {
    name,
    shape,
    data: await model.read(name),
    decay: shape.length > 1,
    ...(shape.length > 1 ? {} : loraPlus(options)),
  };
}
