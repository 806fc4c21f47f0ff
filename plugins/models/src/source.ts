// Where a model is: a local folder, a model that a plugin brings, or (by a Hugging Face id) what
// plugin hub has or downloads, of which it chooses the files.
import { stat } from 'node:fs/promises';
import { homedir } from 'node:os';
import { resolve } from 'node:path';
import type { Hub, ModelSource, Rows } from '@lmflow/sdk';
import { kindOf } from '@lmflow/sdk/files';
import { readSafetensorsIndex } from '@lmflow/sdk/formats';
import type { ModelRequest } from '@lmflow/sdk/model';
import { isPickle } from './checkpoint/weights.ts';
import { checkpointMissing, checkpointPickle, modelNotFound } from './errors.ts';

const SINGLE = 'model.safetensors';
const INDEX = 'model.safetensors.index.json';
const CONFIG = 'config.json';
const SMALL =
  /^(config\.json|generation_config\.json|tokenizer\.json|tokenizer_config\.json|special_tokens_map\.json|chat_template\.jinja|additional_chat_templates\/[\w.-]+\.jinja)$/;

/** A model's folder on this machine. */
export interface FoundFolder {
  readonly folder: string;
  /** The commit, for a model from the hub. */
  readonly revision?: string;
}

/**
 * Finds or downloads a model; `brought` are the models of plugins, `hub` is asked for the rest. Throws
 * LMFLOW_MODEL_NOT_FOUND, LMFLOW_CHECKPOINT_* or LMFLOW_HUB_*.
 */
export async function findFolder(
  { source, revision, signal }: ModelRequest,
  brought: Pick<Rows<ModelSource>, 'get'>,
  hub: () => Hub,
): Promise<FoundFolder> {
  const folder = resolve(source.replace(/^~(?=[/\\]|$)/, homedir()));
  const local = await stat(folder).catch(() => undefined);
  if (local?.isDirectory()) return { folder };
  if (local) {
    throw modelNotFound(
      source,
      `${folder} is ${kindOf(local)}`,
      'Name the folder that has config.json, tokenizer.json and the safetensors files.',
    );
  }
  const row = brought.get(source);
  if (row !== undefined) return { folder: row.folder };
  const notLocal = `the folder ${folder} does not exist`;
  if (!isHubId(source)) {
    throw modelNotFound(
      source,
      notLocal,
      'Models of the Hugging Face hub are named "organisation/name".',
    );
  }
  const snapshot = await hub().snapshot({
    kind: 'model',
    id: source,
    revision,
    choose: (files, get) => modelFiles(source, files, get),
    notLocal,
    signal,
  });
  return { folder: snapshot.folder, revision: snapshot.commit };
}

/** `name` or `organisation/name`, by the hub's rules. */
export function isHubId(source: string): boolean {
  return (
    /^(?:[A-Za-z0-9][\w.-]{0,95}\/)?[A-Za-z0-9][\w.-]{0,95}$/.test(source) &&
    !/--|\.\.|\.git$/.test(source)
  );
}

/** What a model needs of a repository: config, tokenizer, safetensors. */
async function modelFiles(
  id: string,
  files: readonly string[],
  get: (file: string) => Promise<string>,
): Promise<string[]> {
  if (!files.includes(CONFIG)) {
    throw modelNotFound(id, `it has no ${CONFIG} (it has ${files.join(', ')})`);
  }
  const small = files.filter((name) => SMALL.test(name));
  if (files.includes(SINGLE)) return [...small, SINGLE];
  if (files.includes(INDEX)) {
    const { shards } = await readSafetensorsIndex(await get(INDEX));
    return [...small, INDEX, ...shards];
  }
  const pickles = files.filter(isPickle);
  throw pickles.length > 0 ? checkpointPickle(id, pickles) : checkpointMissing(id, files);
}
