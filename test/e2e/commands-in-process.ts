// Running a command in this process and telling how it would end. Not a test.
import { exitCodeOf } from 'lmflow';
import { createTestKernel } from 'lmflow/testing';
import type { UserConfig } from '@lmflow/sdk';

/** A command with its configuration. */
export interface Run {
  readonly command: string;
  readonly config: UserConfig;
  readonly options?: Readonly<Record<string, unknown>>;
  readonly positionals?: readonly string[];
}

/** The exit code that the command would end with, and the error's code. */
export async function ends({
  command,
  config,
  ...request
}: Run): Promise<readonly [number, string]> {
  let kernel;
  try {
    ({ kernel } = await createTestKernel({ config }));
    await kernel.run(command, request);
  } catch (error) {
    return [exitCodeOf(error), (error as { code?: string }).code ?? String(error)];
  } finally {
    await kernel?.close();
  }
  return [0, 'no error'];
}
