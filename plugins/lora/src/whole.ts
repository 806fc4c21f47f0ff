// Weights that are trained whole beside an adapter: those of modulesToSave, and biases.
import type { LinearLayer, Model, Parameter } from '@lmflow/sdk/model';
import { unknownModule } from './errors.ts';
import { loraPlus, type LoraOptions } from './options.ts';
import { HEAD, tiedParameter } from './tied.ts';

/**
 * The weights of modulesToSave, as parameters that replace them in the graph. Throws
 * LMFLOW_LORA_UNKNOWN_MODULE for a name of nothing; an existing adapter's are passed over, as in
 * PEFT.
 */
export async function wholeModules(
  model: Model,
  options: LoraOptions,
  existing: boolean,
): Promise<Parameter[]> {
  const { modulesToSave } = options;
  const names = new Set(modulesToSave.flatMap((module) => weightsOf(model, module)));
  const whole = await Promise.all([...names].map((name) => parameterOf(model, name, options)));
  // A tied head goes with the embedding; users of PEFT name both.
  const unknown = modulesToSave.find(
    (module) =>
      weightsOf(model, module).length === 0 && !(module === HEAD && tiedParameter(model, whole)),
  );
  if (unknown !== undefined && !existing) {
    throw unknownModule('modulesToSave', unknown, [
      ...new Set([...model.weights.keys()].map((name) => name.split('.').at(-2)!)),
    ]);
  }
  return whole;
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
  return Promise.all(names.map((name) => parameterOf(model, name, options)));
}

/** PEFT takes every module whose path ends with the text, and all that lies below it. */
function weightsOf({ weights }: Model, module: string): string[] {
  return [...weights.keys()].filter((name) => {
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
