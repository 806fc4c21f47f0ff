// File formats: safetensors (single files and sharded checkpoints), 16-bit floating point, and the
// dynamic map of 8-bit numbers.
export { SAFETENSORS_DTYPES, isSafetensorsDtype, type SafetensorsDtype } from './dtypes.ts';
export { dynamicMap } from './dynamic-map.ts';
export { fromBfloat16, fromFloat16, toBfloat16, toFloat16 } from './float.ts';
export type { SafetensorsHeader, TensorEntry } from './header.ts';
export { decodeNumbers, readPacked, readZeroPoints, type CodeLayout } from './packed.ts';
export {
  SafetensorsFile,
  readBytes,
  readSafetensors,
  readWeight,
  type TensorFile,
} from './reader.ts';
export {
  openShards,
  readSafetensorsIndex,
  writeCheckpoint,
  type SafetensorsIndex,
} from './sharded.ts';
export { writeSafetensors, type TensorOrder, type TensorToWrite } from './writer.ts';
