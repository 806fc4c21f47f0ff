// Short texts about words that no one knows, with questions: only the text can have the answer, and
// where it has none, the answer says so.
import type { Draw } from './random.ts';
import type { Question, Scene } from './scene.ts';
import { capital, withArticle } from './sentence.ts';

const KINDS =
  'bird fish dog tree flower fruit tool boat hat cup game dance coin toy lamp knife drum insect stone bread';
const COLORS = 'red green blue white black yellow brown gray orange purple';
const SIZES = 'small large long round soft heavy thin old tiny huge';
const PLACES =
  'forest desert river sea mountains cave barn garden city kitchen island valley sky mud village';
const USES = [
  'cut bread',
  'carry water',
  'open doors',
  'catch fish',
  'dig holes',
  'make music',
  'keep warm',
  'count sheep',
  'paint walls',
  'clean floors',
];

/** What a passage may tell of a thing: how it tells, what may be asked, the answer. */
interface Property {
  readonly statements: readonly string[];
  readonly questions: readonly string[];
  readonly answer: string;
  /** Asks for the thing by the property. */
  readonly reverse: readonly string[];
  readonly unknown: string;
}

interface Thing {
  readonly word: string;
  readonly phrase: string;
  readonly kind: string;
  readonly told: readonly Property[];
  readonly untold: readonly Property[];
}

/** One to three invented things, a few properties of each, and nearly all that can be asked. */
export function makePassage(draw: Draw, invent: () => string): Scene {
  const count = draw.between(1, 3);
  const kinds = draw.some(KINDS.split(' '), count);
  const values = [COLORS.split(' '), PLACES.split(' '), USES].map((list) => draw.some(list, count));
  const words = new Set<string>();
  while (words.size < count) words.add(invent());
  const things = [...words].map((word, index) =>
    makeThing(draw, word, kinds[index]!, [
      values[0]![index]!,
      values[1]![index]!,
      values[2]![index]!,
    ]),
  );
  const sentences = things.flatMap(({ told }) => told.map((one) => draw.one(one.statements)));
  const questions = things.flatMap((thing) => askAbout(thing, things, draw));
  if (draw.chance(0.3)) questions.push(askUnnamed(draw, invent(), things));
  return {
    text: (draw.chance(0.5) ? sentences : draw.shuffled(sentences)).map(capital).join(' '),
    questions: draw.shuffled(questions).slice(0, draw.between(3, 7)),
  };
}

function makeThing(
  draw: Draw,
  word: string,
  kind: string,
  [color, place, use]: readonly [string, string, string],
): Thing {
  const phrase = withArticle(word);
  const rest = draw.shuffled([colored(phrase, color), living(phrase, place), used(phrase, use)]);
  const more = draw.between(0, 2);
  const first = draw.chance(0.3)
    ? meaning(word, phrase, withArticle(`${draw.one(SIZES.split(' '))} ${kind}`))
    : ofKind(word, phrase, kind);
  return { word, phrase, kind, told: [first, ...rest.slice(0, more)], untold: rest.slice(more) };
}

function ofKind(word: string, phrase: string, kind: string): Property {
  return {
    statements: [
      `${phrase} is a kind of ${kind}.`,
      `one kind of ${kind} is ${phrase}.`,
      `the word ${word} names a kind of ${kind}.`,
    ],
    questions: [
      `What is ${phrase}?`,
      `What kind of thing is ${phrase}?`,
      `Tell me what ${phrase} is.`,
    ],
    answer: `${phrase} is a kind of ${kind}.`,
    reverse: [`What is a kind of ${kind}?`, `Which word names a kind of ${kind}?`],
    unknown: `what ${phrase} is`,
  };
}

function meaning(word: string, phrase: string, value: string): Property {
  return {
    statements: [
      `the word ${word} means ${value}.`,
      `${value} is called ${phrase}.`,
      `${phrase} is ${value}.`,
    ],
    questions: [`What is ${phrase}?`, `What does the word ${word} mean?`],
    answer: `${phrase} is ${value}.`,
    reverse: [`Which word means ${value}?`, `What is ${value} called?`],
    unknown: `what ${phrase} is`,
  };
}

function colored(phrase: string, value: string): Property {
  return {
    statements: [`${phrase} is ${value}.`, `the color of ${phrase} is ${value}.`],
    questions: [`What color is ${phrase}?`, `What is the color of ${phrase}?`],
    answer: `${phrase} is ${value}.`,
    reverse: [`What is ${value}?`, `Which thing is ${value}?`],
    unknown: `what color ${phrase} is`,
  };
}

function living(phrase: string, value: string): Property {
  return {
    statements: [`you find ${phrase} in the ${value}.`, `${phrase} is found in the ${value}.`],
    questions: [`Where do you find ${phrase}?`, `Where is ${phrase} found?`],
    answer: `${phrase} is found in the ${value}.`,
    reverse: [`What is found in the ${value}?`, `Which thing do you find in the ${value}?`],
    unknown: `where ${phrase} is found`,
  };
}

function used(phrase: string, value: string): Property {
  return {
    statements: [`${phrase} is used to ${value}.`, `people use ${phrase} to ${value}.`],
    questions: [`What is ${phrase} used for?`, `What do people do with ${phrase}?`],
    answer: `${phrase} is used to ${value}.`,
    reverse: [`What is used to ${value}?`, `Which thing do people use to ${value}?`],
    unknown: `what ${phrase} is used for`,
  };
}

function askAbout(thing: Thing, things: readonly Thing[], draw: Draw): Question[] {
  const { phrase, kind, told, untold } = thing;
  const questions = told.map((one) => ({
    question: draw.one(draw.chance(0.3) ? one.reverse : one.questions),
    answer: capital(one.answer),
  }));
  const asked = draw.chance(0.5)
    ? kind
    : draw.one([...things.map((other) => other.kind), ...KINDS.split(' ')]);
  questions.push({
    question: `Is ${phrase} a kind of ${asked}?`,
    answer: `${asked === kind ? 'Yes' : 'No'}, ${phrase} is a kind of ${kind}.`,
  });
  if (draw.chance(0.4)) {
    const { questions: unsaid, unknown } = draw.one(untold);
    questions.push({ question: draw.one(unsaid), answer: `I do not know ${unknown}.` });
  }
  return questions;
}

/** About a word that the passage doesn't have, whatever it says of others. */
function askUnnamed(draw: Draw, word: string, things: readonly Thing[]): Question {
  const { kind } = draw.one(things);
  const phrase = withArticle(word);
  return draw.chance(0.5)
    ? { question: `Is ${phrase} a kind of ${kind}?`, answer: `I do not know what ${phrase} is.` }
    : { question: `What is ${phrase}?`, answer: `I do not know what ${phrase} is.` };
}
