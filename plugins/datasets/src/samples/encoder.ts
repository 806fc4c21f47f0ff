// A record -> the text to tokenize and what of it is trained; and its encoding -> token ids with a
// mask.
import {
  PrintCheck,
  SpanError,
  SpanFinder,
  SpecialTokens,
  callsAsText,
  plainContent,
  printsCalls,
  type MissingPart,
  type PlainContent,
  type RenderedConversation,
  type Span,
} from '@lmflow/plugin-chat-templates';
import {
  isLMFlowError,
  mediaOf,
  type ChatMessage,
  type DatasetRecord,
  type Encoding,
  type RecordOrigin,
  type TextRange,
  type Tokenizer,
  type TrainedAnswers,
} from '@lmflow/sdk';
import * as compared from './errors.ts';
import * as errors from '../errors.ts';
import { PrintCounts } from './print-report.ts';

/** Errors that no record is the cause of. */
const OF_THE_TEMPLATE = [
  'LMFLOW_TEMPLATE_INVALID',
  'LMFLOW_TEMPLATE_UNSUPPORTED',
  'LMFLOW_TEMPLATE_TAGS_HIDDEN',
];

/** What is to be encoded for one record. */
export interface Plan {
  readonly record: DatasetRecord;
  readonly text: string;
  readonly spans: readonly Span[];
  /** Let the tokenizer add what it puts around a text (BOS). Templates bring their own. */
  readonly addSpecialTokens: boolean;
  /**
   * `always`: EOS is the last token. `unless-ended`: only where no special token ends the last
   * answer.
   */
  readonly eos: 'always' | 'unless-ended' | 'never';
  /** The spans are what the template's author tagged: exactly these are trained. */
  readonly tagged?: boolean;
  /** Where special tokens are plain text. */
  readonly plain?: readonly TextRange[];
}

/** What of a record is trained. */
export interface TrainedOptions {
  /** Every token, not only those of answers. */
  readonly trainOnPrompt: boolean;
  /** All where left out. */
  readonly answers?: TrainedAnswers;
}

/** Token ids, and 1 for each that is trained. */
export interface Tokens {
  readonly ids: Int32Array;
  readonly trained: Uint8Array;
}

/** What is found out once about the template in force. */
interface Template {
  readonly finder: SpanFinder;
  readonly check: PrintCheck;
  readonly printsCalls: boolean;
}

/** A conversation without an answer. */
const NOTHING: RenderedConversation = {
  text: '',
  spans: [],
  owners: [],
  trained: [],
  tagged: false,
};

/** Makes tokens with a mask of the records of one data set. */
export class Encoder {
  /** Special tokens seen at the end of answers, as text; generation must stop at them. */
  readonly turnEnds = new Set<string>();
  /** Answers that got EOS because the template ends them with no special token. */
  addedEos = 0;
  /** Answers that the template's tags end before a special token. */
  openEnded = 0;
  /** What the template left out. */
  readonly printed: PrintCounts;
  private readonly tokenizer: Tokenizer;
  private readonly specials: SpecialTokens;
  private readonly options: TrainedOptions;
  private template: Template | undefined;

  constructor(tokenizer: Tokenizer, options: TrainedOptions) {
    this.tokenizer = tokenizer;
    this.specials = new SpecialTokens(tokenizer);
    this.options = options;
    this.printed = new PrintCounts(tokenizer.chatTemplate);
  }

  /** Throws LMFLOW_DATASET_PREFERENCE, _TEMPLATE and _SPANS. */
  plan(record: DatasetRecord): Plan {
    switch (record.kind) {
      case 'text': {
        const begins = record.part === undefined || record.part === 'first';
        const ends = record.part === undefined || record.part === 'last';
        return {
          record,
          text: record.text,
          spans: [[0, record.text.length]],
          addSpecialTokens: begins && !this.startsWithBos(record.text),
          eos: ends ? 'always' : 'never',
        };
      }
      case 'completion': {
        const text = record.prompt + record.completion;
        return {
          record,
          text,
          spans: [[record.prompt.length, text.length]],
          addSpecialTokens: !this.startsWithBos(text),
          eos: 'always',
        };
      }
      case 'conversation': {
        const rendered = this.render(record);
        const eos = rendered.tagged ? 'never' : 'unless-ended';
        return { record, ...rendered, addSpecialTokens: false, eos };
      }
      case 'preference':
      case 'unpaired':
        throw compared.preference(errors.place(record.origin));
      case 'prompt':
        throw compared.promptsAlone(errors.place(record.origin));
    }
  }

  /** The tokens of an encoded plan: BOS once, EOS once, the mask by the spans. */
  tokens(plan: Plan, encoding: Encoding): Tokens {
    const { tokenizer } = this;
    const { ids, offsets } = encoding;
    const trained = mask(offsets, plan.spans, plan.tagged === true);
    if (plan.record.kind === 'conversation') this.endTurns(plan, encoding, trained);
    let first = 0;
    while (
      first + 1 < ids.length &&
      ids[first] === tokenizer.bosId &&
      ids[first + 1] === tokenizer.bosId &&
      tokenizer.bosId !== tokenizer.eosId
    ) {
      first++;
    }
    let last = ids.length;
    const ended = ids.at(-1) === tokenizer.eosId && tokenizer.eosId !== undefined;
    if (ended && plan.addSpecialTokens && tokenizer.addsEos && plan.eos === 'never') last--;
    const append =
      tokenizer.eosId !== undefined && !ended && this.wantsEos(plan, encoding, trained);
    if (append && plan.eos === 'unless-ended') this.addedEos++;
    const size = last - first + (append ? 1 : 0);
    const result = { ids: new Int32Array(size), trained: new Uint8Array(size) };
    result.ids.set(ids.subarray(first, last));
    result.trained.set(trained.subarray(first, last));
    if (append) result.ids[size - 1] = tokenizer.eosId!;
    if (append || (ended && plan.eos === 'always')) result.trained[size - 1] = 1;
    if (this.options.trainOnPrompt) result.trained.fill(1);
    // nothing comes before the first token, so it cannot be predicted
    if (size > 0 && plan.record.kind !== 'text') result.trained[0] = 0;
    return result;
  }

  private render(
    record: DatasetRecord & { kind: 'conversation' },
  ): RenderedConversation & Pick<Plan, 'plain'> {
    const { chatTemplateOrigin: template = 'tokenizer' } = this.tokenizer;
    refuseMedia(record.messages, record.origin);
    const last = record.messages.findLastIndex((message) => message.role === 'assistant');
    const { answers, trainOnPrompt: everything } = this.options;
    const content = plainContent(this.tokenizer, {
      messages: record.messages.slice(0, last + 1),
      tools: record.tools,
    });
    const { messages: given, tools } = content;
    if (given.length === 0) return NOTHING;
    this.template ??= {
      finder: new SpanFinder(this.tokenizer, this.specials),
      check: new PrintCheck(this.tokenizer, { everything }),
      printsCalls: printsCalls(this.tokenizer),
    };
    const { finder, check } = this.template;
    const messages = this.template.printsCalls ? given : callsAsText(given);
    const conversation = { messages, tools };
    try {
      const rendered = finder.find(conversation, answers);
      const parts = check.missing(conversation, rendered).map((part) => shown(part, content));
      const written = messages.some((message, index) => message !== given[index]);
      this.printed.add(messages, record.origin, { parts, callsAsText: written });
      const { text, plain, place } = content.restore(rendered.text);
      const spans = rendered.spans.map(([start, end]) => [place(start), place(end)] as const);
      return { ...rendered, text, plain, spans };
    } catch (cause) {
      if (isLMFlowError(cause) && OF_THE_TEMPLATE.includes(cause.code)) throw cause;
      if (cause instanceof SpanError) throw errors.spans(record.origin, template, cause.index);
      throw errors.template(record.origin, template, cause);
    }
  }

  private startsWithBos(text: string): boolean {
    const { bosToken } = this.tokenizer;
    return bosToken !== undefined && text.startsWith(bosToken);
  }

  private wantsEos(plan: Plan, { ids, offsets }: Encoding, trained: Uint8Array): boolean {
    if (plan.eos !== 'unless-ended') return plan.eos === 'always' && ids.length > 0;
    const end = plan.spans.at(-1)?.[1];
    if (end === undefined || plan.text.slice(end).trim() !== '') return false;
    const token = trained.lastIndexOf(1);
    return token >= 0 && offsets[2 * token + 1]! >= end - 1 && !this.specials.has(ids[token]!);
  }

  /**
   * Notes the tokens that end turns. White space behind one is the template's, as the model has
   * stopped by then: it is not trained, unless it was tagged.
   */
  private endTurns(plan: Plan, { ids, offsets }: Encoding, trained: Uint8Array): void {
    for (let token = ids.length - 1; token >= 0; token--) {
      const ends = trained[token] === 1 && trained[token + 1] !== 1;
      if (!ends) continue;
      let last = token;
      while (
        last >= 0 &&
        trained[last] === 1 &&
        plan.text.slice(offsets[2 * last], offsets[2 * last + 1]).trim() === ''
      ) {
        last--;
      }
      if (last < 0 || trained[last] !== 1 || !this.specials.has(ids[last]!)) {
        if (plan.tagged) this.openEnded++;
        continue;
      }
      if (!plan.tagged) trained.fill(0, last + 1, token + 1);
      this.turnEnds.add(plan.text.slice(offsets[2 * last], offsets[2 * last + 1]));
    }
  }
}

/** A part as it is told: special tokens that messages have in them by their own names. */
function shown(part: MissingPart, content: PlainContent): MissingPart {
  if (!part.starts) return part;
  const [trained, generated] = part.starts;
  return {
    ...part,
    starts: [content.restore(trained).text, content.restore(generated).text],
  };
}

/** No model has an encoder for media yet: a record with an image is not trained without it. */
function refuseMedia(messages: readonly ChatMessage[], origin: RecordOrigin): void {
  for (const [message, { content }] of messages.entries()) {
    const media = mediaOf(content)[0];
    if (media) {
      throw errors.media(origin, `messages[${message}].content[${media.index}]`, media.part.type);
    }
  }
}

/**
 * 1 for each token that shares a character with a span. Spans are sorted and apart from each other.
 * Of a tagged span's last character the first token alone counts, as in transformers' masks.
 */
function mask(offsets: Int32Array, spans: readonly Span[], tagged: boolean): Uint8Array {
  const trained = new Uint8Array(offsets.length / 2);
  let at = 0;
  for (let token = 0; token < trained.length && at < spans.length; token++) {
    const start = offsets[2 * token]!;
    const end = offsets[2 * token + 1]!;
    while (at < spans.length && spans[at]![1] <= start) at++;
    const span = spans[at];
    // a token without characters (a prefix that a normalizer adds) belongs to what it stands in;
    // BOS stands at 0
    if (span && end > span[0] && (end > start || start > 0)) {
      trained[token] = 1;
      if (tagged && end >= span[1]) at++;
    }
  }
  return trained;
}
