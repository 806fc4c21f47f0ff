// What the base model was changed by while an adapter was trained, beside the adapter: stretched
// positions, which the adapter must be used with too, and the form of the frozen weights, as a note.
import { join } from 'node:path';
import { messageOf, type Checkpoint, type Logger } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import { reshapeModel, type Adapter, type Model } from '@lmflow/sdk/model';
import { adapterInvalid, CONFIG_FILE, TENSOR_FILE } from '@lmflow/sdk/peft';
import { architectureOf } from './architecture/blueprint.ts';
import type { ModelFamilies } from './families/family.ts';
import { basePositions } from './errors.ts';
import { readJsonObject } from './json.ts';

/** PEFT ignores it. */
const FILE = 'lmflow_adapter.json';
/** Keys of config.json that say how positions are encoded, in both styles of transformers. */
const KEYS = ['max_position_embeddings', 'rope_theta', 'rope_scaling', 'rope_parameters'] as const;

type Positions = Readonly<Partial<Record<(typeof KEYS)[number], unknown>>>;

interface BaseRecord {
  /** Of config.json: what differs from the checkpoint; null for a key that was taken away. */
  readonly config: Positions;
  /** How frozen linears were computed: `in 4 bits (nf4)`. */
  readonly frozenLinears?: readonly string[];
}

/** Writes the record, where there is anything to say. */
async function saveBaseRecord(checkpoint: Checkpoint): Promise<void> {
  const { model } = checkpoint;
  const frozenLinears = [...new Set(model.claims.map(({ how }) => how))];
  const config = changesOf(await checkpointConfig(model), model.config);
  if (frozenLinears.length === 0 && Object.keys(config).length === 0) return;
  const record: BaseRecord = { config, ...(frozenLinears.length > 0 ? { frozenLinears } : {}) };
  await checkpoint.writeJson(FILE, record);
}

/** Writes an adapter as PEFT does, and the record of its base. */
export async function saveAdapter(checkpoint: Checkpoint, adapter: Adapter): Promise<void> {
  const { config, tensors } = adapter.save();
  await checkpoint.writeTensors(TENSOR_FILE, tensors, { format: 'pt' });
  await checkpoint.writeJson(CONFIG_FILE, config);
  await saveBaseRecord(checkpoint);
}

/** Where an adapter is loaded: what the plugin of its method has at hand. */
export interface RecordReading {
  readonly families: ModelFamilies;
  readonly log: Logger;
}

/**
 * Gives the model the positions that the adapters of some folders were trained with, and logs where
 * that changed them. Throws LMFLOW_ADAPTER_POSITIONS where the configuration asks for other ones, or
 * adapters differ.
 */
export async function applyBaseRecords(
  folders: readonly string[],
  model: Model,
  { families, log }: RecordReading,
): Promise<void> {
  if (folders.length === 0) return;
  const original = await checkpointConfig(model);
  const chosen = changesOf(original, model.config);
  let decider: string | undefined;
  for (const folder of folders) {
    const record = await readBaseRecord(folder);
    const found = changesOf(original, model.config);
    // an adapter without a record may be of another tool, and be meant for any positions
    if ((!record && decider === undefined) || same(found, record?.config ?? {})) continue;
    if (decider !== undefined || folder !== folders[0] || !same(chosen, {})) {
      throw basePositions(folder, record?.config ?? {}, found);
    }
    reshape(model, record!.config, join(folder, FILE), families);
    decider = folder;
  }
  if (decider === undefined) return;
  const { maxPositions } = model.architecture;
  log.info(`positions stretched to ${maxPositions} tokens, as ${decider} was trained with`);
}

function reshape(model: Model, positions: Positions, file: string, families: ModelFamilies): void {
  const config: Record<string, unknown> = { ...model.config, ...positions };
  for (const key of KEYS) if (config[key] === null) delete config[key];
  reshapeModel(model, { config, architecture: architectureOf(config, file, families) });
}

async function readBaseRecord(folder: string): Promise<BaseRecord | undefined> {
  const file = join(folder, FILE);
  const text = await readWhole(file).catch((error: unknown) => {
    const { code } = error as NodeJS.ErrnoException;
    if (code === 'ENOENT' || code === 'ENOTDIR') return undefined;
    throw adapterInvalid(file, `cannot be read: ${messageOf(error)}`);
  });
  if (text === undefined) return undefined;
  const record = parsed(text);
  if (!isObject(record) || !isObject(record['config'])) {
    throw adapterInvalid(file, 'is not the record of a base model');
  }
  return record as unknown as BaseRecord;
}

async function checkpointConfig({ folder }: Model): Promise<Positions> {
  return (await readJsonObject(join(folder, 'config.json'))) ?? {};
}

function changesOf(from: Positions, to: Positions): Positions {
  const changed = KEYS.filter((key) => !same(from[key] ?? null, to[key] ?? null));
  return Object.fromEntries(changed.map((key) => [key, to[key] ?? null]));
}

/** Equal as JSON, whatever the order of keys. */
function same(a: unknown, b: unknown): boolean {
  if (!isObject(a) || !isObject(b)) return JSON.stringify(a) === JSON.stringify(b);
  const keys = new Set([...Object.keys(a), ...Object.keys(b)]);
  return [...keys].every((key) => same(a[key], b[key]));
}

function parsed(text: string): unknown {
  try {
    return JSON.parse(text) as unknown;
  } catch {
    return undefined;
  }
}

function isObject(value: unknown): value is Readonly<Record<string, unknown>> {
  return typeof value === 'object' && value !== null && !Array.isArray(value);
}
