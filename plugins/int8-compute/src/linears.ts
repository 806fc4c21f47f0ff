// Puts int8 linears into a model. Adapters wrap `project` and are not affected; `weight` still has
// float numbers.
import type { Logger } from '@lmflow/sdk';
import { chooseLinears, replaceLinears, type Model } from '@lmflow/sdk/model';
import { int8 } from './form.ts';
import { matMulInt8 } from './op.ts';
import type { Int8Options } from './options.ts';

const section = 'int8Compute';

/** Computes the linears of a model's blocks in int8, except those in `exclude`. */
export async function computeInInt8(
  model: Model,
  { exclude, cacheDir }: Int8Options,
  by: string,
  log: Logger,
): Promise<void> {
  await replaceLinears(model, {
    by,
    section,
    how: 'in int8',
    linears: chooseLinears(model, { section, exclude }),
    form: int8(model),
    cacheDir,
    matmul: ({ graph }, x, { layer: { weight }, group }) => {
      const [codes, scales, otherCodes, otherScales] = group.parts;
      return matMulInt8(
        x,
        {
          codes: graph.weight(`${weight}:int8 forward`, codes!),
          scales: graph.weight(`${weight}:int8 forward scales`, scales!),
        },
        {
          codes: graph.weight(`${weight}:int8 backward`, otherCodes!),
          scales: graph.weight(`${weight}:int8 backward scales`, otherScales!),
        },
      );
    },
    log,
  });
}
