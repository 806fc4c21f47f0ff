// The errors of the IA3 plugin, one builder each.
import { usageError, type LMFlowError } from '@lmflow/sdk';

/** PEFT knows no modules for a family of models, and the options name none. */
export function noDefaults(family: string): LMFlowError {
  return usageError(
    'LMFLOW_IA3_NO_DEFAULTS',
    `ia3 has no default modules for the model family ${family}`,
    { hint: 'Set ia3.targetModules and ia3.feedforwardModules ([] for none).' },
  );
}

/** A name or an expression matches no module. */
export function unknownModule(
  option: keyof typeof KINDS,
  name: string,
  known: readonly string[],
): LMFlowError {
  return usageError(
    'LMFLOW_IA3_UNKNOWN_MODULE',
    `ia3.${option}: "${name}" matches no ${KINDS[option]}`,
    { hint: `Name modules that end in ${known.join(', ')}.` },
  );
}

const KINDS = {
  targetModules: 'linear module of the model',
  excludeModules: 'linear module of the model',
  feedforwardModules: 'module of ia3.targetModules',
} as const;

/** A text is not a regular expression. */
export function invalidPattern(option: keyof typeof KINDS, pattern: string): LMFlowError {
  return usageError(
    'LMFLOW_IA3_INVALID_PATTERN',
    `ia3.${option}: "${pattern}" is not a regular expression`,
    { hint: 'Write a list for names, or correct the expression.' },
  );
}

/** Everything that is named is left out as well. */
export function noTargets(): LMFlowError {
  return usageError(
    'LMFLOW_IA3_NO_TARGETS',
    'no module of ia3.targetModules is left after ia3.excludeModules',
    { hint: 'Leave fewer modules out.' },
  );
}
