// Ranges that arguments of several optimizers have.
import type { ArgumentRange } from '@lmflow/sdk';

/** How much of a running mean is kept from step to step. */
export const DECAY: ArgumentRange = { min: 0, below: 1 };
/** Zero and above. */
export const NOT_NEGATIVE: ArgumentRange = { min: 0 };
