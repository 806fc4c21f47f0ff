// Which chat template is in force: the tokenizer's own, a named one, a file's, or a fallback; set
// on the tokenizer, so that it is saved.
import { existsSync, readFileSync } from 'node:fs';
import type { DatasetKind, Logger, Tokenizer } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import * as errors from './errors.ts';
import { alpaca, plain, templates } from './templates.ts';

const isPath = (text: string): boolean => /\.(jinja2?|j2)$/i.test(text) || existsSync(text);
const isSource = (text: string): boolean => text.includes('{{') || text.includes('{%');

/**
 * Settles the chat template and says which one it is. Throws LMFLOW_DATASET_TEMPLATE_UNKNOWN and
 * _TEMPLATE_MISSING. Without a wish the tokenizer's own stays; where it has none: Alpaca's prompt
 * for conversations, plain text otherwise.
 */
export function settleTemplate(
  tokenizer: Tokenizer,
  wanted: string | undefined,
  kinds: ReadonlySet<DatasetKind>,
  log: Logger,
): void {
  const own = tokenizer.chatTemplate;
  if (wanted === 'tokenizer' && own === undefined) throw errors.templateMissing();
  if (wanted === undefined || wanted === 'tokenizer') {
    if (own === undefined) fallBack(tokenizer, kinds, log);
    else if (kinds.has('conversation')) {
      log.info(
        `chat template: ${tokenizer.chatTemplateOrigin === 'tokenizer' ? "the tokenizer's own" : (tokenizer.chatTemplateOrigin ?? "the tokenizer's own")}`,
      );
    }
    return;
  }
  const origin = set(tokenizer, wanted, log);
  log.info(
    `chat template: ${origin}${own === undefined || own === tokenizer.chatTemplate ? '' : ", in place of the tokenizer's own"}`,
  );
}

/**
 * Sets the wanted template on a loaded model and on its views with adapters, in place of those of
 * their training. `own` is the checkpoint's. Throws as settleTemplate does.
 */
export function setTemplate(
  model: Model,
  wanted: string,
  own: string | undefined,
  log: Logger,
): void {
  if (wanted === 'tokenizer' && own === undefined) throw errors.templateMissing();
  // Views that share the model's tokenizer are done with it.
  for (const tokenizer of new Set(
    [model, ...(model.adapters?.values() ?? [])].map((view) => view.tokenizer),
  )) {
    if (wanted === 'tokenizer') {
      Object.assign(tokenizer, { chatTemplate: own, chatTemplateOrigin: 'tokenizer' });
    } else set(tokenizer, wanted, log);
  }
}

/** Gives the template's origin. */
function set(tokenizer: Tokenizer, wanted: string, log: Logger): string {
  const { source, origin, markers } = find(wanted, tokenizer.addsBos);
  tokenizer.chatTemplate = source;
  tokenizer.chatTemplateOrigin = origin;
  const unknown = markers.filter((marker) => tokenizer.tokenToId(marker) === undefined);
  if (unknown.length > 0) {
    log.warn(
      `the tokenizer has no token ${unknown.join(', ')}: template ${origin} is spelled out in pieces. A template made for this tokenizer costs fewer tokens.`,
    );
  }
  return origin;
}

function find(
  wanted: string,
  bos: boolean,
): { source: string; origin: string; markers: readonly string[] } {
  const named = Object.hasOwn(templates, wanted) ? templates[wanted] : undefined;
  if (named) {
    return {
      source: typeof named.source === 'string' ? named.source : named.source(bos),
      origin: wanted,
      markers: named.markers ?? [],
    };
  }
  if (isSource(wanted)) return { source: wanted, origin: 'configuration', markers: [] };
  if (!isPath(wanted)) {
    throw errors.templateUnknown(wanted, [...Object.keys(templates), 'tokenizer']);
  }
  try {
    return { source: readFileSync(wanted, 'utf8'), origin: wanted, markers: [] };
  } catch (cause) {
    throw errors.unreadable(wanted, cause);
  }
}

function fallBack(tokenizer: Tokenizer, kinds: ReadonlySet<DatasetKind>, log: Logger): void {
  const chat = kinds.has('conversation');
  tokenizer.chatTemplate = chat ? alpaca(tokenizer.addsBos) : plain(tokenizer.addsBos);
  tokenizer.chatTemplateOrigin = chat ? 'fallback:alpaca' : 'fallback:plain';
  const what = chat ? 'the Alpaca prompt with EOS after each answer' : 'plain text';
  log.info(
    `chat template: ${tokenizer.chatTemplateOrigin} (the tokenizer has none): ${what}; it is saved with the model. Another one: chatTemplate`,
  );
}
