// The section `pipeline` of the configuration, and what a stage, a loop and a condition may say.
import type { Pluggable } from '@lmflow/sdk';
import { z } from 'zod';

export const pipelineOptions = z.object({
  folder: z
    .string()
    .min(1)
    .default('pipeline')
    .describe(
      'Where each stage has a folder for what it makes, and a file of what it was made of.',
    ),
  stages: z
    .array(z.looseObject({ name: z.string() }))
    .default([])
    .describe('Stages { name, command, presets, config, ... } and loops { name, repeat, stages }.'),
});

export type PipelineOptions = z.output<typeof pipelineOptions>;

/** What a condition may ask as a function: `folder(name)` is the folder of a stage. */
export interface ConditionContext {
  readonly round: number | undefined;
  folder(stage: string): string;
}

/** Whether a stage runs, or a loop goes on. */
export type Condition =
  | { readonly exists: string }
  | { readonly missing: string }
  | {
      /** A file of JSON. */
      readonly file: string;
      /** Keys to a value in it, with dots between. */
      readonly value: string;
      readonly above?: number;
      readonly below?: number;
      readonly is?: string | number | boolean;
    }
  | ((context: ConditionContext) => boolean | Promise<boolean>);

/** A command with its configuration. */
export interface StageSetting {
  readonly name: string;
  readonly command: string;
  /** What is loaded for it; where neither is listed, what is loaded for the pipeline. */
  readonly presets?: readonly Pluggable[];
  readonly plugins?: readonly Pluggable[];
  /** All of its configuration; engine, device and seed are the pipeline's unless it has its own. */
  readonly config?: Readonly<Record<string, unknown>>;
  readonly arguments?: readonly string[];
  /** Its own flags. */
  readonly options?: Readonly<Record<string, unknown>>;
  /** Files and folders that it reads, beside those that its settings name. */
  readonly inputs?: readonly string[];
  /** Files that it has to make, in its folder. */
  readonly outputs?: readonly string[];
  readonly if?: Condition;
}

/** Stages that run several times. */
export interface LoopSetting {
  readonly name: string;
  /** Most rounds. */
  readonly repeat: number;
  /** Asked before each round. */
  readonly while?: Condition;
  /** Asked after each round. */
  readonly until?: Condition;
  readonly stages: readonly (StageSetting | LoopSetting)[];
}

const text = z.string().min(1);
const name = z
  .string()
  .regex(/^[A-Za-z][\w-]*$/, 'must be a letter with letters, digits, - and _ behind it');

const condition = z.union([
  z.strictObject({ exists: text }),
  z.strictObject({ missing: text }),
  z
    .strictObject({
      file: text,
      value: text,
      above: z.number().optional(),
      below: z.number().optional(),
      is: z.union([z.string(), z.number(), z.boolean()]).optional(),
    })
    .refine(
      ({ above, below, is }) => [above, below, is].some((limit) => limit !== undefined),
      'needs above, below or is',
    ),
  z.custom<Condition>((value) => typeof value === 'function'),
]);

export const stageSchema = z.strictObject({
  name,
  command: text,
  presets: z.array(z.unknown()).optional(),
  plugins: z.array(z.unknown()).optional(),
  config: z.record(z.string(), z.unknown()).optional(),
  arguments: z.array(z.string()).optional(),
  options: z.record(z.string(), z.unknown()).optional(),
  inputs: z.array(text).optional(),
  outputs: z.array(text).optional(),
  if: condition.optional(),
});

export const loopSchema = z.strictObject({
  name,
  repeat: z.int().positive(),
  while: condition.optional(),
  until: condition.optional(),
  stages: z.array(z.unknown()).nonempty(),
});

declare module '@lmflow/sdk' {
  interface ConfigSections {
    pipeline?: {
      readonly folder?: string;
      readonly stages?: readonly (StageSetting | LoopSetting)[];
    };
  }
}
