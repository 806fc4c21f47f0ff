// What is read and what is asked: the book in pieces, its last chapters apart; text of the kind that
// the default model was pretrained on to read again; and what shows whether it has forgotten that.
import { readLines } from '@lmflow/playground-default-model/lines';
import { makeWorld, readSources, type Conversation } from '@lmflow/playground-default-model/world';

/** The last chapter that is read; those behind it are the test. */
export const LAST_READ = 120;
/** Characters of replay: a fifth of all that is read. */
const REPLAY = 0.2;
const PIECE = 900;
const TESTED = 400;
const FACTS = 100;
const SEED = 7;

export interface Data {
  readonly book: readonly string[];
  readonly unread: readonly string[];
  readonly replayTexts: readonly string[];
  readonly replayConversations: readonly Conversation[];
  /** Sentences that the default model has read, and no replay has. */
  readonly examples: readonly string[];
  /** Questions that it was asked in training, and no replay asks. */
  readonly facts: readonly Conversation[];
}

export interface Chapter {
  readonly chapter: number;
  readonly title: string;
  readonly text: string;
}

/** All 135 chapters. */
export function readBook(): Chapter[] {
  return readLines<Chapter>(new URL('../book.jsonl', import.meta.url));
}

/** The same each time. */
export function makeData(): Data {
  const chapters = readBook();
  const inPieces = (some: readonly Chapter[]): string[] =>
    some.flatMap(({ text }) => piecesOf(text));
  const book = inPieces(chapters.filter(({ chapter }) => chapter <= LAST_READ));
  const sources = readSources();
  const examples = everyNth(sources.examples, TESTED);
  const facts = everyNth(sources.facts, FACTS);
  const asked = new Set(facts.flatMap(({ questions, unseen }) => [...questions, ...unseen]));
  const characters = book.reduce((sum, { length }) => sum + length, 0);
  const world = makeWorld(SEED, Math.round((characters * REPLAY) / (1 - REPLAY)), {
    ...sources,
    examples: sources.examples.filter((one) => !examples.includes(one)),
    facts: sources.facts.filter((one) => !facts.includes(one)),
  });
  return {
    book,
    unread: inPieces(chapters.filter(({ chapter }) => chapter > LAST_READ)),
    replayTexts: world.texts,
    replayConversations: world.conversations.filter(
      (messages) => !messages.some(({ content }) => asked.has(content)),
    ),
    examples,
    facts: facts.map(({ questions, answer }) => [
      { role: 'user', content: questions[0]! },
      { role: 'assistant', content: answer },
    ]),
  };
}

/** Whole paragraphs together, as many as fit; a longer one is a piece by itself. */
export function piecesOf(text: string): string[] {
  const pieces: string[] = [];
  for (const paragraph of text.split(/\n\s*\n/)) {
    const joined = `${pieces.at(-1) ?? ''}\n\n${paragraph}`;
    if (pieces.length > 0 && joined.length <= PIECE) pieces[pieces.length - 1] = joined;
    else pieces.push(paragraph);
  }
  return pieces.map((piece) => piece.trim()).filter((piece) => piece !== '');
}

function everyNth<T>(list: readonly T[], count: number): T[] {
  const step = list.length / count;
  return Array.from({ length: count }, (_, at) => list[Math.floor(at * step)]!);
}
