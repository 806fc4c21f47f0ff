// Writing files: outputs that appear whole or not at all, and the cache. Reading those of others,
// within bounds.
export { cacheFolder, cacheRoot, markUsed } from './cache.ts';
export { SOURCE_NOTE, derivedFile, noteSource, type DerivedRequest } from './derived.ts';
export { cacheUnwritable, diskErrorOf, outputUnwritable } from './errors.ts';
export {
  ASIDE,
  writeFileAtomic,
  writeFileInParts,
  type FileWriter,
  type Unwritable,
  type WriteOptions,
} from './file.ts';
export { makeFolder } from './make-folder.ts';
export { LARGEST_WHOLE, checkRegular, kindOf, readWhole, readWholeSync } from './regular.ts';
export {
  filesUnder,
  removeAsides,
  removeFolder,
  writeFilesInto,
  writeFolder,
  type FolderOptions,
} from './folder.ts';
export { isRunning } from './process.ts';
