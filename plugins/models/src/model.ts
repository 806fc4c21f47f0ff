// From a folder to a model: config.json, weights (headers only), tokenizer, building functions. No
// hooks and no downloads here.
import { readdir } from 'node:fs/promises';
import { join } from 'node:path';
import { didYouMean, type Logger, type Tokenizer } from '@lmflow/sdk';
import { floatWeight, type Model, type ModelRequest } from '@lmflow/sdk/model';
import { readPacked, readWeight } from '@lmflow/sdk/formats';
import { pluginOfAdapter } from '@lmflow/sdk/peft';
import { readBlueprint, type Blueprint } from './architecture/blueprint.ts';
import { asRequested, freshPadding } from './architecture/classifier.ts';
import { ConfigReader } from './architecture/config.ts';
import { buildingFunctions } from './build/functions.ts';
import { randomWeight, randomWeights } from './checkpoint/random.ts';
import { readPackings } from './checkpoint/packing.ts';
import { openCheckpoint, readCheckpoint, type Checkpoint } from './checkpoint/weights.ts';
import { modelNotFound, trainingPacked, weightUnknown } from './errors.ts';
import type { ModelFamilies } from './families/family.ts';
import { readJsonObject } from './json.ts';
import { tokenizerTooLarge } from './tokenizer/errors.ts';
import { loadTokenizer } from './tokenizer/tokenizer.ts';
import type { TokenizerProcesses } from './tokenizer/tokenizer-processes.ts';

export interface FolderRequest extends ModelRequest {
  readonly folder: string;
  /** Seed of random weights: the folder needs none then. */
  readonly fromScratch?: number;
}

/** Reads a model folder; throws an LMFLOW_* error that names the file and what is wrong with it. */
export async function readModel(
  request: FolderRequest,
  families: ModelFamilies,
  log: Logger,
  processes?: TokenizerProcesses,
): Promise<Model> {
  const { folder, source, role, revision } = request;
  const path = join(folder, 'config.json');
  const stored = await readJsonObject(path);
  if (!stored) throw await notAModel(source, folder);
  const { config, fresh } = asRequested(stored, new ConfigReader(path, stored), {
    classifier: request.classifier,
    families,
  });
  const reader = new ConfigReader(path, config);
  const generationConfig = await readJsonObject(join(folder, 'generation_config.json'));
  let blueprint = readBlueprint(reader, families);
  const checkpoint = await checkpointOf(request, reader, blueprint, fresh);
  if (checkpoint.duplicateHead && (await headDiffers(checkpoint, source, blueprint))) {
    warnOfOwnHead(log, folder, blueprint);
    config['tie_word_embeddings'] = false;
    blueprint = readBlueprint(reader, families);
  }
  const eosIds = idsOf(generationConfig?.['eos_token_id'] ?? config['eos_token_id']);
  const { vocabularySize } = blueprint.architecture;
  const tokenizer = await loadTokenizer(folder, fallbackIds(config, eosIds), processes);
  checkTokenizer(tokenizer, { folder, config: path, rows: vocabularySize });
  const { weights } = checkpoint;
  const packed = [...weights.values()].some(({ kind }) => kind === 'packed');
  if (request.purpose === 'training' && packed) throw trainingPacked(source);
  const padding = { eosIds, rows: vocabularySize };
  if (fresh) {
    config['pad_token_id'] = freshPadding(reader, tokenizer, padding);
  }
  return {
    role,
    source,
    folder,
    config,
    tokenizer,
    weights,
    ...(revision === undefined ? {} : { revision }),
    ...(generationConfig && blueprint.architecture.labels === undefined
      ? { generationConfig }
      : {}),
    ...(fresh ? { freshHead: true } : {}),
    architecture: blueprint.architecture,
    eosIds: eosIds.length > 0 ? eosIds : idsOf(tokenizer.eosId),
    linears: blueprint.linears,
    parameters: new Map(),
    build: buildingFunctions(blueprint),
    wraps: [],
    claims: [],
    async read(name) {
      const weight = weights.get(name);
      if (!weight) throw weightUnknown(source, name, didYouMean(name, weights.keys()));
      return weight.kind === 'packed' ? readPacked(weight) : readWeight(weight);
    },
  };
}

function warnOfOwnHead(log: Logger, folder: string, { family: { names } }: Blueprint): void {
  const head = `${names.head}.weight`;
  log.warn(
    `${folder}: config.json ties the head to the embedding, but the checkpoint has another ${head}, ` +
      'which is used untied, as in transformers',
  );
}

/** Throws LMFLOW_TOKENIZER_TOO_LARGE where it gives ids that the embedding does not have. */
function checkTokenizer(
  { vocabularySize }: Tokenizer,
  {
    folder,
    config,
    rows,
  }: { readonly folder: string; readonly config: string; readonly rows: number },
): void {
  if (vocabularySize <= rows) return;
  throw tokenizerTooLarge(join(folder, 'tokenizer.json'), vocabularySize, config, rows);
}

/** The folder's weights, or random ones where the request has a seed of them. */
async function checkpointOf(
  { folder, fromScratch, classifier }: FolderRequest,
  reader: ConfigReader,
  blueprint: Blueprint,
  freshHead: boolean,
): Promise<Checkpoint> {
  const range = reader.positive('initializer_range', 0.02);
  if (fromScratch !== undefined) {
    return { weights: randomWeights(blueprint, range, fromScratch), duplicateHead: false };
  }
  const files = await openCheckpoint(folder);
  const { weight, outFeatures, inFeatures } = blueprint.head;
  const head = freshHead
    ? randomWeight(weight, [outFeatures, inFeatures], {
        deviation: range,
        seed: classifier!.seed,
      })
    : undefined;
  const packings = readPackings(reader, blueprint.linears);
  return readCheckpoint(folder, files, blueprint, packings, head);
}

/**
 * Whether a head beside a tied embedding is one of its own. If it is the same numbers, it is left
 * out.
 */
async function headDiffers(
  checkpoint: Checkpoint,
  source: string,
  { family: { names } }: Blueprint,
): Promise<boolean> {
  const { weights } = checkpoint;
  const [own, shared] = (await Promise.all(
    [names.head, names.embedding].map((name) =>
      readWeight(floatWeight({ source, weights }, `${name}.weight`)),
    ),
  )) as [Float32Array, Float32Array];
  const differs = own.some((number, index) => number !== shared[index]);
  if (!differs) weights.delete(`${names.head}.weight`);
  return differs;
}

function idsOf(value: unknown): number[] {
  return (Array.isArray(value) ? value : [value]).filter((id): id is number =>
    Number.isSafeInteger(id),
  );
}

function fallbackIds(
  config: Readonly<Record<string, unknown>>,
  eosIds: readonly number[],
): { bosId?: number; eosId?: number; padId?: number } {
  const [bosId] = idsOf(config['bos_token_id']);
  const [eosId] = [...idsOf(config['eos_token_id']), ...eosIds];
  const [padId] = idsOf(config['pad_token_id']);
  return {
    ...(bosId === undefined ? {} : { bosId }),
    ...(eosId === undefined ? {} : { eosId }),
    ...(padId === undefined ? {} : { padId }),
  };
}

/** The error for a folder without config.json; an adapter is often taken for a model. */
async function notAModel(source: string, folder: string): Promise<Error> {
  const adapter = await readJsonObject(join(folder, 'adapter_config.json'));
  const base =
    typeof adapter?.['base_model_name_or_path'] === 'string'
      ? adapter['base_model_name_or_path']
      : 'adapter_config.json does not say which';
  const option = `--${(adapter && pluginOfAdapter(adapter)) ?? 'lora'}-adapter`;
  const hint =
    adapter &&
    `Name the base of this adapter as the model (${base}), and this folder with ${option} ${source}.`;
  return modelNotFound(
    source,
    `${folder} has no config.json (it has ${(await readdir(folder)).join(', ') || 'no files'})`,
    hint,
  );
}
