// Reading the JSON and text files of a model folder.
import { readWhole } from '@lmflow/sdk/files';
import { fileInvalid, lfsPointer } from './errors.ts';

/** The text of a file, or undefined where it is absent. */
export async function readText(path: string): Promise<string | undefined> {
  try {
    return await readWhole(path);
  } catch (error) {
    if ((error as NodeJS.ErrnoException).code === 'ENOENT') return undefined;
    throw fileInvalid(path, `cannot be read: ${(error as Error).message}`, error);
  }
}

/**
 * The text of a JSON file, without a byte order mark; undefined where it is absent. Throws
 * LMFLOW_MODEL_FILE_INVALID where it cannot be read or stands for a file that was not fetched.
 */
export async function readJsonText(path: string): Promise<string | undefined> {
  const text = (await readText(path))?.replace(/^\uFEFF/, '');
  if (text?.startsWith('version https://git-lfs')) throw lfsPointer(path);
  return text;
}

/**
 * A JSON object; undefined where the file is absent. Throws LMFLOW_MODEL_FILE_INVALID where it is
 * not JSON, not an object, or nested so deeply that it could not be written again.
 */
export async function readJsonObject(path: string): Promise<Record<string, unknown> | undefined> {
  const text = await readJsonText(path);
  if (text === undefined) return undefined;
  let value: unknown;
  try {
    value = JSON.parse(text);
  } catch (error) {
    throw fileInvalid(path, `is not JSON: ${(error as Error).message}`, error);
  }
  if (typeof value !== 'object' || value === null || Array.isArray(value)) {
    throw fileInvalid(path, 'must be a JSON object');
  }
  if (isDeep(value)) throw fileInvalid(path, `is nested deeper than ${DEEPEST} levels`);
  return value as Record<string, unknown>;
}

/** JSON.parse takes any depth, JSON.stringify and whoever walks a value only some thousands. */
const DEEPEST = 1000;

function isDeep(value: object): boolean {
  let level: readonly unknown[] = [value];
  for (let depth = 0; level.length > 0; depth++) {
    if (depth > DEEPEST) return true;
    level = level.flatMap((one) =>
      typeof one === 'object' && one !== null ? (Object.values(one) as unknown[]) : [],
    );
  }
  return false;
}
