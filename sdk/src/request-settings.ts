// What one request for text sets for plugins: a grammar, a watermark, ... Options that hold for all
// requests are in the plugin's OptionsSpec.
import type { z } from 'zod';
import { registry } from './registry.ts';

/**
 * Settings of plugins in one request, by name: `declare module '@lmflow/sdk' { interface
 * RequestSettings { grammar?: string } }`, with a row of REQUEST_SETTINGS that checks it.
 */
// eslint-disable-next-line @typescript-eslint/no-empty-object-type -- open for declaration merging
export interface RequestSettings {}

/** A setting that requests may have: a key of RequestSettings, and a field of a request over HTTP. */
export interface RequestSetting {
  readonly name: string;
  /** Checks a value and completes it; the result has the declared type. */
  readonly schema: z.ZodType;
}

/** Settings that requests may have. */
export const REQUEST_SETTINGS = registry<RequestSetting>('request-settings', 'request setting');
