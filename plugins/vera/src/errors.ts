// The errors of the VeRA plugin, one builder each.
import { usageError, type LMFlowError } from '@lmflow/sdk';

/** PEFT knows no modules for a family of models, and the options name none. */
export function noDefaults(family: string): LMFlowError {
  return usageError(
    'LMFLOW_VERA_NO_DEFAULTS',
    `vera has no default modules for the model family ${family}`,
    { hint: 'Set vera.targetModules.' },
  );
}

/** A name, an expression or a block matches no linear of the model. */
export function unknownModule(
  option: 'targetModules' | 'layersToTransform',
  name: string | number,
  known: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_VERA_UNKNOWN_MODULE',
    `vera.${option}: ${JSON.stringify(name)} matches no linear module of the model`,
    { hint: `Choose among modules that end in ${known.join(', ')}, in blocks that the model has.` },
  );
}

/** A text is not a regular expression. */
export function invalidPattern(pattern: string): LMFlowError {
  return usageError(
    'LMFLOW_VERA_INVALID_PATTERN',
    `vera.targetModules: "${pattern}" is not a regular expression`,
    { hint: 'Write a list for names, or correct the expression.' },
  );
}
