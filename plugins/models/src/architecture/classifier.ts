// Models whose head gives a number for each label instead of logits (transformers'
// `...ForSequenceClassification`): what config.json says of them, and how that of a language model
// becomes one.
import type { ClassifierRequest } from '@lmflow/sdk/model';
import type { Tokenizer } from '@lmflow/sdk';
import { isAClassifier, notAClassifier } from '../errors.ts';
import type { ModelFamilies, ModelFamily } from '../families/family.ts';
import type { ConfigReader } from './config.ts';

/** The module of a classifier's head, a linear without a bias. */
export const SCORE = 'score';

/** The class of a family's classifiers, as transformers names it; undefined where it has none. */
export function classifierClass({ classes }: ModelFamily): string | undefined {
  const base = classes.find((name) => /(ForCausalLM|LMHeadModel)$/.test(name));
  return base?.replace(/(ForCausalLM|LMHeadModel)$/, 'ForSequenceClassification');
}

/** Number of labels, where config.json is a classifier's. */
export function labelsOf(config: ConfigReader, family: ModelFamily): number | undefined {
  const classes = config.get('architectures');
  const own = classifierClass(family);
  if (own === undefined || !Array.isArray(classes) || !classes.includes(own)) return undefined;
  const names = config.get('id2label');
  if (names === undefined) return config.count('num_labels', 2); // transformers leaves out two
  if (typeof names !== 'object' || Object.keys(names!).length === 0) {
    throw config.invalid('id2label', 'an object with a name for each label');
  }
  return Object.keys(names!).length;
}

/**
 * The config.json of a folder as it is asked for: with a classifier's head where the request wants
 * one and the folder is a language model's (`fresh`). Throws LMFLOW_MODEL_CLASSIFIER where a
 * classifier is read as a language model, or one with another number of labels than asked for.
 */
export function asRequested(
  config: Record<string, unknown>,
  reader: ConfigReader,
  {
    classifier,
    families,
  }: { readonly classifier: ClassifierRequest | undefined; readonly families: ModelFamilies },
): { readonly config: Record<string, unknown>; readonly fresh: boolean } {
  const family = families.get(String(config['model_type']));
  if (!family) return { config, fresh: false };
  const labels = labelsOf(reader, family);
  if (labels !== undefined) {
    if (!classifier) throw isAClassifier(reader.file, classifierClass(family)!);
    if (classifier.labels !== labels) throw notAClassifier(reader.file, classifier.labels, labels);
    return { config, fresh: false };
  }
  if (!classifier) return { config, fresh: false };
  const own = classifierClass(family);
  if (own === undefined) throw notAClassifier(reader.file, classifier.labels, 0);
  const names = Array.from({ length: classifier.labels }, (_, label) => `LABEL_${label}`);
  return {
    fresh: true,
    config: {
      ...config,
      architectures: [own],
      id2label: Object.fromEntries(names.map((name, label) => [String(label), name])),
      label2id: Object.fromEntries(names.map((name, label) => [name, label])),
    },
  };
}

/**
 * A padding id that ends no text, so that padding is told from an answer's end by its id alone: the
 * configured one or the tokenizer's where it ends nothing, a token for unknown text, an id without a
 * token, BOS; in a vocabulary without any of these (GPT-2's) the last id that ends nothing, which an
 * answer may have inside.
 */
export function freshPadding(
  { values }: ConfigReader,
  tokenizer: Tokenizer,
  { eosIds, rows }: { readonly eosIds: readonly number[]; readonly rows: number },
): number | undefined {
  const unknown = ['<unk>', '[UNK]', '<|unk|>'].map((token) => tokenizer.tokenToId(token));
  const spare = tokenizer.vocabularySize < rows ? rows - 1 : undefined;
  const others = Array.from({ length: eosIds.length + 2 }, (_, index) => rows - 1 - index);
  const candidates = [
    ...[values['pad_token_id'], tokenizer.padId, ...unknown, spare, tokenizer.bosId],
    ...others,
  ];
  const ends = new Set([...eosIds, tokenizer.eosId]);
  return candidates.find(
    (id): id is number => typeof id === 'number' && id >= 0 && id < rows && !ends.has(id),
  );
}
