// Commands beside the one that runs: each in a kernel of its own (token COMMANDS).
import type { CommandRunner, Logger, UserConfig } from '@lmflow/sdk';
import type { Loaded } from './load.ts';
import type { KernelOptions, RunOutcome, RunRequest } from './types.ts';

/** The part of a kernel that is used. */
interface Runs {
  run(name: string, request: RunRequest): Promise<RunOutcome<unknown>>;
  close(): Promise<void>;
}

/** A runner that loads what was listed for this kernel, unless a run lists something itself. */
export function commandRunner(
  { listed, directory }: Loaded,
  ownLog: Logger,
  create: (config: UserConfig, options: KernelOptions) => Promise<Runs>,
): CommandRunner {
  return {
    async run({ command, config, log = ownLog, ...request }) {
      const lists = config.presets !== undefined || config.plugins !== undefined;
      const kernel = await create(
        { ...config, ...(lists ? {} : (listed as object)) },
        {
          cwd: directory,
          log,
        },
      );
      try {
        return await kernel.run(command, request);
      } finally {
        await kernel.close();
      }
    },
  };
}
