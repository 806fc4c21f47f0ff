// The world that the default model reads: text and conversations in fixed shares, made from a seed.
import { WordNet } from '../wordnet/wordnet.ts';
import { MedicalWords } from '../wordnet/medical.ts';
import { Conversations, type Conversation } from './conversation.ts';
import { Deck } from './deck.ts';
import { definitions, examples } from './dictionary.ts';
import type { Fact } from './fact.ts';
import { readFacts } from './facts.ts';
import { readKinds, type KnownKind } from './kinds.ts';
import { Draw } from './random.ts';
import { makeScene, type Scene } from './scene.ts';

export interface World {
  readonly facts: readonly Fact[];
  /** Scenes that are in no training text. */
  readonly heldOutScenes: readonly Scene[];
  readonly texts: readonly string[];
  readonly conversations: readonly Conversation[];
}

/** Shares of the characters, in percent. */
export interface Plan {
  /** Of the draws: two plans do not have the same scenes. */
  readonly name: string;
  readonly texts: Readonly<Record<'facts' | 'definitions' | 'examples' | 'stories', number>>;
  readonly conversations: Readonly<Record<'facts' | 'scene' | 'lesson' | 'talk' | 'long', number>>;
}

/** What is read first, every token of it trained. */
export const READING: Plan = {
  name: '',
  texts: { facts: 18, definitions: 5, examples: 2, stories: 5 },
  conversations: { facts: 38, scene: 24, lesson: 0, talk: 5, long: 3 },
};

/** What is read last: answers alone are trained, most of them about scenes. */
export const LESSONS: Plan = {
  name: 'lessons ',
  texts: { facts: 3, definitions: 3, examples: 2, stories: 0 },
  conversations: { facts: 24, scene: 4, lesson: 54, talk: 7, long: 3 },
};
const HELD_OUT_SCENES = 1000;

/** What the world is made of. */
export interface Sources {
  readonly kinds: readonly KnownKind[];
  readonly facts: readonly Fact[];
  readonly definitions: readonly string[];
  readonly examples: readonly string[];
  /** Whether someone knows the word. */
  readonly isWord: (word: string) => boolean;
}

/** Reads WordNet and the tables. */
export function readSources(): Sources {
  const wordnet = new WordNet();
  const medical = new MedicalWords(wordnet);
  const kinds = readKinds(wordnet, medical);
  return {
    kinds,
    facts: readFacts(wordnet, medical, kinds),
    definitions: definitions(wordnet, medical),
    examples: examples(wordnet, medical),
    isWord: (word) => wordnet.has(word) || medical.isNamedIn(word),
  };
}

/** Makes about so many characters of text, the same ones for the same seed. */
export function makeWorld(
  seed: number,
  characters: number,
  sources = readSources(),
  plan = READING,
): World {
  const { facts, kinds, isWord } = sources;
  const heldOutDraw = new Draw(seed, 'held-out scenes');
  const heldOutScenes = Array.from({ length: HELD_OUT_SCENES }, () => makeScene(heldOutDraw));
  const heldOut = new Set(heldOutScenes.map(({ text }) => text));
  const draw = new Draw(seed, `${plan.name}text`);
  const talk = new Conversations(
    facts,
    kinds,
    heldOut,
    isWord,
    new Draw(seed, `${plan.name}conversations`),
  );
  const texts = {
    facts: statements(facts, draw),
    definitions: several(new Deck(sources.definitions, draw), draw),
    examples: several(new Deck(sources.examples, draw), draw),
    stories: () => story(draw, heldOut),
  };
  const amount = (percent: number): number => (characters * percent) / 100;
  return {
    facts,
    heldOutScenes,
    texts: keys(plan.texts).flatMap((name) =>
      upTo(amount(plan.texts[name]), texts[name], textLength),
    ),
    conversations: keys(plan.conversations).flatMap((name) =>
      upTo(amount(plan.conversations[name]), () => talk[name](), conversationLength),
    ),
  };
}

/** Three to six facts, each in one of its wordings. */
function statements(facts: readonly Fact[], draw: Draw): () => string {
  const deck = new Deck(facts, draw);
  return () =>
    Array.from({ length: draw.between(3, 6) }, () => draw.one(deck.next().statements)).join(' ');
}

function several(deck: Deck<string>, draw: Draw): () => string {
  return () => Array.from({ length: draw.between(2, 4) }, () => deck.next()).join(' ');
}

/** A scene whose questions are answered in the text. */
function story(draw: Draw, heldOut: ReadonlySet<string>): string {
  let scene = makeScene(draw);
  while (heldOut.has(scene.text)) scene = makeScene(draw);
  const { text, questions } = scene;
  return [text, ...questions.map(({ answer }) => answer)].join(' ');
}

function upTo<T>(characters: number, make: () => T, length: (value: T) => number): T[] {
  const made: T[] = [];
  for (let sum = 0; sum < characters; sum += length(made.at(-1)!)) made.push(make());
  return made;
}

function textLength(text: string): number {
  return text.length;
}

/** The roles' tokens count like a word. */
function conversationLength(conversation: Conversation): number {
  return conversation.reduce((sum, { content }) => sum + content.length + 8, 0);
}

function keys<T extends object>(value: T): (keyof T)[] {
  return Object.keys(value) as (keyof T)[];
}
