// lmflow: the kernel, for applications. The command is in bin/; plugins are written against
// @lmflow/sdk.
import 'reflect-metadata';

export { createKernel, Kernel, loadKernel } from './kernel.ts';
export type {
  KernelOptions,
  KernelReport,
  KernelState,
  ResolvedSetting,
  RunOutcome,
  ResultOf,
  RunRequest,
} from './types.ts';
export type { ContributedCommand } from './context.ts';
export type { LoadOptions } from './load.ts';
export type { TapReport, TapTime } from './hooks.ts';
export { createLogger, silentLogger } from './logger.ts';
export type { LoggerOptions, Output, TerminalLogger } from './logger.ts';
export { exitCodeOf, ExitCode } from './exit-codes.ts';
export { kernelVersion, sdkVersion } from './versions.ts';
export { defineConfig } from '@lmflow/sdk';
