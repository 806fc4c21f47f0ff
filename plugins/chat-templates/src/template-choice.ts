// Which chat template is in force: the tokenizer's own, a named one, a file's, or a fallback; set
// on the tokenizer, so that it is saved.
import { existsSync } from 'node:fs';
import type { ChatTemplate, Logger, Tokenizer } from '@lmflow/sdk';
import { readWholeSync } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import * as errors from './errors.ts';
import { alpaca, plain } from './named/named-templates.ts';

/** What the choice goes by. */
export interface ChoiceContext {
  /** The key `chatTemplate`: a name, a file, a source or `tokenizer`. */
  readonly wanted: string | undefined;
  /** The templates that have names. */
  readonly templates: Iterable<ChatTemplate>;
  readonly log: Logger;
}

/** A template with what messages call it. */
interface FoundTemplate {
  readonly source: string;
  readonly origin: string;
  readonly markers: readonly string[];
}

/** Chooses the chat templates of one kernel's tokenizers. */
export class TemplateChoice {
  private readonly context: ChoiceContext;

  constructor(context: ChoiceContext) {
    this.context = context;
  }

  /**
   * Sets the template to train with and says which one it is. Where none is wanted the tokenizer's
   * own stays; where it has none: Alpaca's prompt where the data are `conversations`, plain text
   * otherwise. Throws LMFLOW_DATASET_TEMPLATE_UNKNOWN, _MISSING and LMFLOW_DATASET_UNREADABLE.
   */
  forTraining(tokenizer: Tokenizer, data: { readonly conversations: boolean }): void {
    const { wanted, log } = this.context;
    const own = tokenizer.chatTemplate;
    if (wanted === 'tokenizer' && own === undefined) throw errors.templateAbsent();
    if (wanted !== undefined && wanted !== 'tokenizer') {
      this.set(tokenizer, wanted);
      const replaced = own !== undefined && own !== tokenizer.chatTemplate;
      log.info(
        `chat template: ${templateName(tokenizer)}${replaced ? ", in place of the tokenizer's own" : ''}`,
      );
    } else if (own === undefined) this.fallBack(tokenizer, data.conversations);
    else if (data.conversations) log.info(`chat template: ${templateName(tokenizer)}`);
  }

  /**
   * Sets the wanted template, if any, on a model loaded for inference and on its views with
   * adapters, in place of those of their training. `own` is the checkpoint's. Throws as forTraining
   * does.
   */
  forInference(model: Model, own: string | undefined): void {
    const { wanted } = this.context;
    if (wanted === undefined) return;
    if (wanted === 'tokenizer' && own === undefined) throw errors.templateAbsent();
    const views = [model, ...(model.adapters?.values() ?? [])];
    // views may share the model's tokenizer
    for (const tokenizer of new Set(views.map((view) => view.tokenizer))) {
      if (wanted === 'tokenizer') {
        tokenizer.chatTemplate = own;
        tokenizer.chatTemplateOrigin = 'tokenizer';
      } else this.set(tokenizer, wanted);
    }
  }

  private set(tokenizer: Tokenizer, wanted: string): void {
    const { source, origin, markers } = this.find(wanted, tokenizer.addsBos);
    tokenizer.chatTemplate = source;
    tokenizer.chatTemplateOrigin = origin;
    const unknown = markers.filter((marker) => tokenizer.tokenToId(marker) === undefined);
    if (unknown.length > 0) {
      this.context.log.warn(
        `the tokenizer has no token ${unknown.join(', ')}: template ${origin} is spelled out ` +
          'in pieces. A template made for this tokenizer costs fewer tokens.',
      );
    }
  }

  private find(wanted: string, bos: boolean): FoundTemplate {
    const named = [...this.context.templates];
    const row = named.find(({ name }) => name === wanted);
    if (row) {
      const source = typeof row.source === 'string' ? row.source : row.source(bos);
      return { source, origin: wanted, markers: row.markers ?? [] };
    }
    if (isSource(wanted)) return { source: wanted, origin: 'configuration', markers: [] };
    if (!isPath(wanted)) {
      throw errors.templateUnknown(wanted, [...named.map(({ name }) => name), 'tokenizer']);
    }
    try {
      return { source: readWholeSync(wanted), origin: wanted, markers: [] };
    } catch (cause) {
      throw errors.templateUnreadable(wanted, cause);
    }
  }

  private fallBack(tokenizer: Tokenizer, conversations: boolean): void {
    const template = conversations ? alpaca : plain;
    tokenizer.chatTemplate = template(tokenizer.addsBos);
    tokenizer.chatTemplateOrigin = conversations ? 'fallback:alpaca' : 'fallback:plain';
    const what = conversations ? 'the Alpaca prompt with EOS after each answer' : 'plain text';
    this.context.log.info(
      `chat template: ${tokenizer.chatTemplateOrigin} (the tokenizer has none): ${what}; it is ` +
        'saved with the model. Set chatTemplate to use another one.',
    );
  }
}

const isPath = (text: string): boolean => /\.(jinja2?|j2)$/i.test(text) || existsSync(text);
const isSource = (text: string): boolean => text.includes('{{') || text.includes('{%');

/** What messages call the template in force. */
export function templateName({
  chatTemplate,
  chatTemplateOrigin: origin,
}: Pick<Tokenizer, 'chatTemplate' | 'chatTemplateOrigin'>): string {
  if (chatTemplate === undefined) return 'none';
  return origin === undefined || origin === 'tokenizer' ? "the tokenizer's own" : origin;
}
