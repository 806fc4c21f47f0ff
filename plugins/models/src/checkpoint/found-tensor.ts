// A tensor of a checkpoint, found but not read.
import type { SafetensorsFile } from '@lmflow/sdk/formats';

/** Where a tensor is. */
export interface Found {
  readonly file: SafetensorsFile;
  /** As the file says; may lack the family's prefix. */ readonly stored: string;
}
