// The table of optimizers by their names in `optim`. Each is in a file of its own under
// optimizers/; what they are made of is in optimizer.ts.
import { token } from '@lmflow/sdk';
import type { Optimizer } from './optimizer.ts';
import { adafactor } from './optimizers/adafactor.ts';
import { adam, adamw } from './optimizers/adam.ts';
import { adamw8bit } from './optimizers/adamw-8bit.ts';
import { adan } from './optimizers/adan.ts';
import { lamb } from './optimizers/lamb.ts';
import { lion } from './optimizers/lion.ts';
import { muon } from './optimizers/muon.ts';
import { nadam } from './optimizers/nadam.ts';
import { radam } from './optimizers/radam.ts';
import { scheduleFreeAdamw } from './optimizers/schedule-free.ts';
import { sgd } from './optimizers/sgd.ts';
import { sophia } from './optimizers/sophia.ts';

/** The optimizers by their name in `optim`; a plugin adds a row before training begins. */
export const OPTIMIZERS = token<Map<string, Optimizer>>('@lmflow/plugin-trainer/optimizers');

/**
 * A fresh table of the optimizers offered here. Names of transformers where it has them; several
 * may mean one row.
 */
export function optimizers(): Map<string, Optimizer> {
  return new Map([
    ['adamw_torch', adamw],
    ['adamw_torch_fused', adamw],
    ['adamw_hf', adamw],
    ['paged_adamw_32bit', adamw],
    ['adamw_8bit', adamw8bit],
    ['adamw_bnb_8bit', adamw8bit],
    ['adamw_torch_8bit', adamw8bit],
    ['paged_adamw_8bit', adamw8bit],
    ['adafactor', adafactor],
    ['lion', lion],
    ['lion_32bit', lion],
    ['paged_lion_32bit', lion],
    ['schedule_free_adamw', scheduleFreeAdamw],
    ['sgd', sgd],
    ['adam', adam],
    ['adan', adan],
    ['lamb', lamb],
    ['muon', muon],
    ['nadam', nadam],
    ['radam', radam],
    ['sophia', sophia],
  ]);
}

export { adamw, sgd };
