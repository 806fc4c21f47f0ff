import { definePlugin } from '@lmflow/sdk';
import { z } from 'zod';

/** Stops the training once the loss is low enough. */
export default definePlugin({
  name: '@me/plugin-target-loss',
  version: '1.0.0',
  sdk: '^1.0.0',
  options: {
    section: 'targetLoss',
    schema: z.object({ loss: z.number().positive().default(1).describe('Stop at this loss.') }),
  },
  apply(context) {
    context.hooks.onStep.tap((step) => {
      if (step.loss === undefined || step.loss > context.options.loss) return;
      context.log.info(`Step ${step.number}: the loss reached ${context.options.loss}.`);
      step.control.stop = true;
    });
  },
});
