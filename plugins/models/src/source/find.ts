// Where a model is: a local folder, or (by a Hugging Face id) the hub's cache, filled from the hub where it is not complete.
import { stat } from 'node:fs/promises';
import { resolve } from 'node:path';
import type { Logger, ModelRequest } from '@lmflow/sdk';
import { modelNotFound } from '../errors.ts';
import type { ModelOptions } from '../options.ts';

export interface FoundFolder { readonly folder: string; readonly revision?: string }

export async function findFolder(request: ModelRequest, _options: ModelOptions, _log: Logger): Promise<FoundFolder> {
  const { source } = request;
  const folder = resolve(source);
  if (await stat(folder).then((found) => found.isDirectory(), () => false)) return { folder };
  throw modelNotFound(source, `the folder ${folder} does not exist`);
}
