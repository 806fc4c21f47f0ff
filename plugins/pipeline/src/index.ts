// The plugin: `lmflow pipeline` runs stages, each a command with its inputs and outputs as files.
import { definePlugin } from '@lmflow/sdk';
import { z } from 'zod';
import { stagesMissing } from './errors.ts';
import { pipelineOptions } from './options.ts';
import { PipelineRun, type StageOutcome } from './run.ts';
import { checkedStages, flat, isLoop } from './stages.ts';
import manifest from '../package.json' with { type: 'json' };

export {
  pipelineOptions,
  type Condition,
  type ConditionContext,
  type LoopSetting,
  type PipelineOptions,
  type StageSetting,
} from './options.ts';
export type { StageOutcome } from './run.ts';

declare module '@lmflow/sdk' {
  interface CommandResults {
    pipeline: readonly StageOutcome[];
  }
}

const flags = z.object({
  dryRun: z.boolean().default(false).describe('Say which stages are stale, and run none.'),
  from: z.string().optional().describe('A stage that runs even where it is fresh.'),
});

const pipeline = definePlugin({
  name: '@lmflow/plugin-pipeline',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { section: 'pipeline', schema: pipelineOptions },
  apply(context) {
    context.command({
      name: 'pipeline',
      summary: 'Runs stages of commands, and goes on at the first that is stale.',
      options: flags,
      sections: ['pipeline.folder', 'seed', 'device'],
      examples: ['lmflow pipeline --config flow.config.ts', 'lmflow pipeline --dry-run'],
      run: async ({ config, options: { dryRun, from }, signal, output }) => {
        const { folder, stages: given } = context.options;
        const stages = checkedStages(given);
        const names = flat(stages).flatMap((entry) => (isLoop(entry) ? [] : [entry.name]));
        if (from !== undefined && !names.includes(from)) {
          throw stagesMissing(`there is no stage "${from}"`, `Name one of ${names.join(', ')}.`);
        }
        const { engine, device, deviceCheck, seed } = config;
        const shared = Object.fromEntries(
          Object.entries({ engine, device, deviceCheck, seed }).filter(
            ([, value]) => value !== undefined,
          ),
        );
        const run = new PipelineRun(context, { folder, shared, dryRun, from, signal, output });
        await run.run(stages);
        return { result: run.outcomes, exitCode: run.interrupted ? 130 : 0 };
      },
    });
  },
});

export default pipeline;
