// The rows of OPTIMIZERS. Their names in `optim` are those of transformers where it has them.
import type { OptimizerRow } from '@lmflow/sdk';
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

export const optimizers: readonly OptimizerRow[] = [
  adamw,
  adamw8bit,
  adafactor,
  lion,
  scheduleFreeAdamw,
  sgd,
  adam,
  adan,
  lamb,
  muon,
  nadam,
  radam,
  sophia,
];
