// The built-in formats, as rows of DATASET_FORMATS.
import type { DatasetFormat } from '@lmflow/sdk';
import { answeredFormats } from './answered.ts';
import { preferenceFormats } from './preferences.ts';

/** Paired formats last: their keys contain those of the others. */
export const datasetFormats: readonly DatasetFormat[] = [...answeredFormats, ...preferenceFormats];
