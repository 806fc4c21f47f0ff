// Counts, over a data set, what was meant to be trained and is not in what the chat template printed,
// and which keys of turns nobody reads; and says it. Finding it in one record is chat-templates'.
import { REASONING_KEYS, type MissingKind, type MissingPart } from '@lmflow/plugin-chat-templates';
import type { ChatMessage, Logger, RecordOrigin } from '@lmflow/sdk';
import { place } from '../errors.ts';

/** Records of one kind: how many, and where the first ones are. */
interface Found {
  records: number;
  readonly first: string[];
  /** Of the first one, for starts. */
  readonly starts?: readonly [trained: string, generated: string];
}

/** What is kept with the tokens, so that it is said also where they come from the cache. */
export interface PrintFacts {
  readonly conversations: number;
  readonly callsAsText: number;
  readonly missing: Readonly<Partial<Record<MissingKind, Found>>>;
  readonly unreadKeys: Readonly<Record<string, Found>>;
}

/** The most records that are named for one thing, and the most keys. */
const MOST_NAMED = 3;
const MOST_KEYS = 20;

const WORDS = /\w+/g;

/** Keys of turns that LMFlow itself reads or makes. */
const READ_KEYS: ReadonlySet<string> = new Set([
  ...['role', 'content', 'weight', 'tool_calls', 'tool_call_id', 'name', 'instruction', 'input'],
  ...REASONING_KEYS,
]);

/** Counts over the conversations of a data set. */
export class PrintCounts {
  private conversations = 0;
  private callsAsText = 0;
  private readonly missing = new Map<MissingKind, Found>();
  private readonly unread = new Map<string, Found>();
  /** A template reads the keys that it names. */
  private readonly words: ReadonlySet<string>;

  constructor(template = '') {
    this.words = new Set(template.match(WORDS));
  }

  /** Takes one conversation as its record has it. */
  add(
    messages: readonly ChatMessage[],
    origin: RecordOrigin,
    found: { readonly parts: readonly MissingPart[]; readonly callsAsText: boolean },
  ): void {
    this.conversations++;
    if (found.callsAsText) this.callsAsText++;
    const kinds = new Map(found.parts.toReversed().map((part) => [part.kind, part]));
    for (const [kind, { message, starts }] of kinds) {
      const where = message === undefined ? '' : `, messages[${message}]`;
      count(this.missing, kind, place(origin) + where, starts);
    }
    const keys = new Set(messages.flatMap((message) => Object.keys(message)));
    for (const key of keys) {
      if (READ_KEYS.has(key) || key.match(WORDS)?.every((word) => this.words.has(word))) continue;
      if (this.unread.has(key) || this.unread.size < MOST_KEYS) {
        count(this.unread, key, place(origin));
      }
    }
  }

  facts(): PrintFacts {
    const { conversations, callsAsText } = this;
    return {
      conversations,
      callsAsText,
      missing: Object.fromEntries(this.missing),
      unreadKeys: Object.fromEntries(this.unread),
    };
  }
}

function count<K>(into: Map<K, Found>, key: K, where: string, starts?: Found['starts']): void {
  const found = into.get(key) ?? { records: 0, first: [], ...(starts ? { starts } : {}) };
  into.set(key, found);
  found.records++;
  if (found.first.length < MOST_NAMED) found.first.push(where);
}

/** What is missing of each kind, in words; the quiet ones are as their templates want it. */
const KINDS: Readonly<Record<MissingKind, { readonly what: string; readonly quiet?: boolean }>> = {
  text: { what: 'text' },
  reasoning: { what: 'the reasoning of answers' },
  calls: { what: 'tool calls' },
  tools: { what: 'tools that the model may call' },
  start: { what: '' },
  earlierReasoning: { what: 'the reasoning of answers before the last question', quiet: true },
  earlierStart: { what: '', quiet: true },
};

/** Says what is missing, and which keys are not read. */
export function reportPrinted(log: Logger, facts: PrintFacts): void {
  const { conversations, callsAsText, missing, unreadKeys } = facts;
  const of = ({ records, first }: Found): string => {
    const more = records > first.length ? '; ...' : '';
    return `${records} of ${conversations} conversations (${first.join('; ')}${more})`;
  };
  for (const [kind, { what, quiet = false }] of Object.entries(KINDS)) {
    const found = missing[kind as MissingKind];
    if (!found) continue;
    const say = (text: string): void => (quiet ? log.info(text) : log.warn(text));
    if (found.starts) {
      const [trained, generated] = found.starts.map((text) => JSON.stringify(text));
      const which = quiet ? 'answers before the last question begin' : 'answers begin';
      say(
        `${which} behind another text than generation gives them, in ${of(found)}: behind ` +
          `${trained} in training, behind ${generated} in generation. Set chatTemplate ` +
          'to a template that prints one text before both.',
      );
    } else {
      say(
        `the chat template leaves out ${what} in ${of(found)}: ` +
          'the model does not learn it. Set chatTemplate to a template that prints it.',
      );
    }
  }
  if (callsAsText > 0) {
    log.info(
      `the chat template prints no tool calls: in ${callsAsText} of ${conversations} conversations ` +
        'they are trained as lines of JSON behind the text of the answer',
    );
  }
  for (const [key, found] of Object.entries(unreadKeys)) {
    log.warn(
      `the key ${JSON.stringify(key)} of turns is read neither by LMFlow nor by the chat template, ` +
        `in ${of(found)}`,
    );
  }
}
