// The errors of the scoring plugin, one builder each.
import { type LMFlowError, inputError, usageError } from '@lmflow/sdk';

/** LMFLOW_SCORING_ROW: the model cannot read the tokens that are to be scored. */
export function rowUnfit(row: number, what: string): LMFlowError {
  return inputError('LMFLOW_SCORING_ROW', `row ${row} of the tokens to score ${what}`, {
    hint: 'Give token ids of the model, as many as it has positions.',
  });
}

/** LMFLOW_SCORING_HEAD: a value was asked of a head with several outputs. */
export function headNotScalar(source: string, outputs: number): LMFlowError {
  return usageError(
    'LMFLOW_SCORING_HEAD',
    `${source}: the head has ${outputs} outputs, a value needs one`,
    { hint: 'Name a model with a scalar head, such as a reward model.' },
  );
}
