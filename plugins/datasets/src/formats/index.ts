// The built-in formats, as rows of DATASET_FORMATS.
import type { DatasetFormat } from '@lmflow/sdk';
import { answeredFormats } from './answered.ts';
import { promptFormat } from './prompts.ts';
import { preferenceFormats } from './preferences.ts';

/** From the general to the special: keys of a later format contain those of earlier ones. */
export const datasetFormats: readonly DatasetFormat[] = [
  promptFormat,
  ...answeredFormats,
  ...preferenceFormats,
];
