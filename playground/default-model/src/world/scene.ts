// Little scenes: a few persons, places and things, what happens to them, and questions whose answers
// follow from it. An answer that takes two steps names both, so that each is one look back.
import type { Draw } from './random.ts';
import { capital } from './sentence.ts';

export interface Question {
  readonly question: string;
  readonly answer: string;
}

export interface Scene {
  readonly text: string;
  readonly questions: readonly Question[];
}

const NAMES = [
  'Mary',
  'John',
  'Anna',
  'Peter',
  'Lucy',
  'Tom',
  'Emma',
  'Paul',
  'Rose',
  'Jack',
  'Ella',
  'Sam',
];
const PLACES = [
  'kitchen',
  'garden',
  'bedroom',
  'office',
  'park',
  'school',
  'shop',
  'library',
  'barn',
  'cellar',
];
const THINGS = [
  'apple',
  'ball',
  'book',
  'key',
  'cup',
  'hat',
  'lamp',
  'coin',
  'rope',
  'letter',
  'box',
  'bag',
];
const NUMBERS = ['nothing', 'one thing', 'two things', 'three things'];
const QUALITIES = [
  ['bigger', 'biggest'],
  ['heavier', 'heaviest'],
  ['older', 'oldest'],
  ['faster', 'fastest'],
] as const;

/** How large a story is: each number between two, both included. */
interface Size {
  readonly persons: readonly [number, number];
  readonly lines: readonly [number, number];
  readonly questions: readonly [number, number];
}

const COMMON: Size = { persons: [2, 3], lines: [3, 7], questions: [1, 3] };
const LESSON: Size = { ...COMMON, questions: [4, 8] };
const SHORT: Size = { persons: [2, 2], lines: [3, 4], questions: [3, 6] };
const SHORTEST: Size = { persons: [2, 2], lines: [2, 2], questions: [2, 2] };

/** A scene of one of the kinds below, with one to three questions. */
export function makeScene(draw: Draw): Scene {
  return draw.chance(0.8) ? story(draw, COMMON) : comparison(draw);
}

/** A scene with nearly all the questions that it answers; most are short. */
export function makeLesson(draw: Draw): Scene {
  if (draw.chance(0.2)) return comparisons(draw);
  return story(draw, draw.one([SHORTEST, SHORT, LESSON]));
}

interface World {
  readonly places: Map<string, string>;
  readonly holders: Map<string, string>;
  /** Where things lie that no one holds. */
  readonly lying: Map<string, string>;
  readonly lines: string[];
}

/** Persons walk, take, drop and give. */
function story(draw: Draw, { persons, lines, questions: asked }: Size): Scene {
  const names = draw.some(NAMES, draw.between(...persons));
  const places = draw.some(PLACES, 4);
  const things = draw.some(THINGS, 3);
  const world: World = { places: new Map(), holders: new Map(), lying: new Map(), lines: [] };
  const length = draw.between(...lines);
  for (const name of names) walk(world, name, draw.one(places), draw);
  while (world.lines.length < length) act(world, { names, places, things }, draw);
  const questions = draw.shuffled(askAbout(world, names, things)).slice(0, draw.between(...asked));
  return { text: world.lines.join(' '), questions };
}

interface Cast {
  readonly names: readonly string[];
  readonly places: readonly string[];
  readonly things: readonly string[];
}

function act(world: World, { names, places, things }: Cast, draw: Draw): void {
  const name = draw.one(names);
  const held = things.filter((thing) => world.holders.get(thing) === name);
  const free = things.filter((thing) => !world.holders.has(thing));
  const choice = draw.between(0, 9);
  if (choice < 4) {
    walk(world, name, draw.one(places.filter((place) => place !== world.places.get(name))), draw);
  } else if (choice < 8 && free.length > 0) {
    take(world, name, draw.one(free), draw);
  } else if (held.length > 0) {
    const thing = draw.one(held);
    const others = names.filter((other) => other !== name);
    if (draw.chance(0.5)) give(world, name, thing, draw.one(others), draw);
    else drop(world, name, thing, draw);
  }
}

function walk({ places, lines }: World, name: string, place: string, draw: Draw): void {
  places.set(name, place);
  lines.push(`${name} ${draw.one(['went to', 'walked to', 'moved to', 'ran to'])} the ${place}.`);
}

/** What lies somewhere is taken by who goes there first. */
function take(world: World, name: string, thing: string, draw: Draw): void {
  const lies = world.lying.get(thing);
  if (lies !== undefined && lies !== world.places.get(name)) walk(world, name, lies, draw);
  world.lying.delete(thing);
  world.holders.set(thing, name);
  world.lines.push(`${name} ${draw.one(['took', 'picked up', 'found'])} the ${thing}.`);
}

function give(world: World, name: string, thing: string, other: string, draw: Draw): void {
  const place = world.places.get(name)!;
  if (world.places.get(other) !== place) walk(world, other, place, draw);
  world.holders.set(thing, other);
  const verb = draw.one(['gave', 'handed']);
  world.lines.push(`${name} ${verb} the ${thing} to ${other}.`);
}

function drop(world: World, name: string, thing: string, draw: Draw): void {
  world.holders.delete(thing);
  world.lying.set(thing, world.places.get(name)!);
  const verb = draw.one(['dropped', 'put down', 'left']);
  world.lines.push(`${name} ${verb} the ${thing}.`);
}

function askAbout(world: World, names: readonly string[], things: readonly string[]): Question[] {
  const { places, holders, lying } = world;
  const questions = names.map((name) => ({
    question: `Where is ${name}?`,
    answer: `${name} is in the ${places.get(name)!}.`,
  }));
  for (const thing of things) {
    const holder = holders.get(thing);
    const lies = lying.get(thing);
    if (holder !== undefined) {
      questions.push(
        { question: `Who has the ${thing}?`, answer: `${holder} has the ${thing}.` },
        {
          question: `Where is the ${thing}?`,
          answer: `${holder} has the ${thing}, so it is in the ${places.get(holder)!}.`,
        },
      );
    } else if (lies !== undefined) {
      questions.push(
        { question: `Who has the ${thing}?`, answer: `No one has the ${thing}.` },
        { question: `Where is the ${thing}?`, answer: `The ${thing} is in the ${lies}.` },
      );
    }
  }
  for (const name of names) {
    const held = things.filter((thing) => holders.get(thing) === name);
    if (held.length > 0) questions.push(holding(name, held, world));
  }
  return questions;
}

/** What a person holds, in the order of the scene. */
function holding(name: string, held: readonly string[], { lines }: World): Question {
  const text = lines.join(' ');
  const ordered = [...held].sort(
    (a, b) => text.lastIndexOf(`the ${a}`) - text.lastIndexOf(`the ${b}`),
  );
  const list = ordered.map((thing) => `the ${thing}`).join(' and ');
  return {
    question: `What does ${name} have?`,
    answer: `${name} has ${list}: ${NUMBERS[held.length]!}.`,
  };
}

/** Three things or persons, the first one most of all. */
interface Order {
  readonly more: string;
  readonly most: string;
  readonly ranked: readonly string[];
  readonly text: string;
}

function order(draw: Draw): Order {
  const [more, most] = draw.one(QUALITIES);
  const persons = more === 'older' || more === 'faster';
  const ranked = persons
    ? draw.some(NAMES, 3)
    : draw.some(THINGS, 3).map((thing) => `the ${thing}`);
  const [a, b, c] = ranked;
  const lines = draw.shuffled([
    `${capital(a!)} is ${more} than ${b!}.`,
    `${capital(b!)} is ${more} than ${c!}.`,
  ]);
  return { more, most, ranked, text: lines.join(' ') };
}

function which({ more, ranked }: Order, one: number, other: number, draw: Draw): Question {
  const [first, second] = draw.shuffled([ranked[one]!, ranked[other]!]);
  return {
    question: `${asking(ranked)} is ${more}, ${first!} or ${second!}?`,
    answer: `${capital(ranked[one]!)} is ${more}.`,
  };
}

function whichMost({ most, ranked }: Order): Question {
  return {
    question: `${asking(ranked)} is the ${most}?`,
    answer: `${capital(ranked[0]!)} is the ${most}.`,
  };
}

function asking([first]: readonly string[]): string {
  return first!.startsWith('the ') ? 'What' : 'Who';
}

/** Compares two neighbours, or asks for the first of all. */
function comparison(draw: Draw): Scene {
  const compared = order(draw);
  const one = draw.between(0, 1);
  const questions = [which(compared, one, one + 1, draw), whichMost(compared)];
  return { text: compared.text, questions: draw.shuffled(questions).slice(0, draw.between(1, 2)) };
}

/** Compares all of them. */
function comparisons(draw: Draw): Scene {
  const compared = order(draw);
  const questions = [
    which(compared, 0, 1, draw),
    which(compared, 1, 2, draw),
    which(compared, 0, 2, draw),
    whichMost(compared),
  ];
  return { text: compared.text, questions: draw.shuffled(questions) };
}
