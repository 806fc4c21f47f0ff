// The wordings of every relation: statements (the first is the answer), questions, and questions
// that are kept out of training.
import type { Relation } from './fact.ts';

/** `Tell me {..}`, `Do you know {..}?` and their like around an indirect question. */
function asked(indirect: string): string[] {
  return [`Tell me ${indirect}.`, `Can you tell me ${indirect}?`, `Do you know ${indirect}?`];
}

/** Openings that no training question has. */
function askedAnew(indirect: string): string[] {
  return [`I would like to know ${indirect}.`, `Could you please tell me ${indirect}?`];
}

/** A relation with one direct and one indirect question, further ones, and an unseen one. */
function relation(
  name: string,
  statements: readonly string[],
  direct: string,
  indirect: string,
  more: readonly string[],
  unseen: string,
): Relation {
  return {
    name,
    statements,
    questions: [direct, ...asked(indirect), ...more],
    unseen: [...askedAnew(indirect), unseen],
  };
}

export const KIND = relation(
  'kind',
  [
    '{x} is a kind of {y}.',
    'One kind of {y} is {x}.',
    'The word {word} names a kind of {y}.',
    'Among the kinds of {y} is {x}.',
  ],
  'What is {x}?',
  'what {x} is',
  ['What kind of thing is {x}?', 'What sort of thing is {x}?', 'What does the word {word} mean?'],
  '{x}: what kind of thing is that?',
);

export const OPPOSITE = relation(
  'opposite',
  [
    'The opposite of {x} is {y}.',
    '{y} is the opposite of {x}.',
    '{x} and {y} are opposites.',
    'What is not {x} may be {y}.',
  ],
  'What is the opposite of {x}?',
  'the opposite of {x}',
  [
    'Which word is the opposite of {x}?',
    'What is the contrary of {x}?',
    'Name the opposite of {x}.',
  ],
  'If something is not {x}, what is the opposite of that?',
);

export const CAPITAL = relation(
  'capital',
  [
    'The capital of {x} is {y}.',
    '{y} is the capital of {x}.',
    'The main city of {x} is {y}, the capital.',
    '{x} is governed from {y}.',
  ],
  'What is the capital of {x}?',
  'the capital of {x}',
  [
    'Which city is the capital of {x}?',
    'Name the capital of {x}.',
    'What is the main city of {x}?',
  ],
  '{x} has which city as its capital?',
);

export const CAPITAL_OF = relation(
  'capital-of',
  [
    '{y} is the capital of {x}.',
    'The capital of {x} is {y}.',
    'The city of {y} lies in {x}.',
    'In {x}, the capital is called {y}.',
  ],
  'Which country has the capital {y}?',
  'which country has the capital {y}',
  ['{y} is the capital of which country?', 'Of which country is {y} the capital?'],
  '{y} is a capital. Of which country?',
);

export const CONTINENT = relation(
  'continent',
  [
    '{x} is in {y}.',
    '{x} lies in {y}.',
    'A country in {y} is {x}.',
    'One of the countries of {y} is {x}.',
  ],
  'Where is {x}?',
  'where {x} is',
  ['On which continent is {x}?', 'In which part of the world is {x}?', 'Where does {x} lie?'],
  '{x} lies on which continent?',
);

export const LANGUAGE = relation(
  'language',
  [
    'People in {x} speak {y}.',
    'The language of {x} is {y}.',
    'In {x} they speak {y}.',
    '{y} is spoken in {x}.',
  ],
  'What do people in {x} speak?',
  'which language people in {x} speak',
  ['What is the language of {x}?', 'Which language is spoken in {x}?'],
  'If I go to {x}, which language do people speak?',
);

export const SYMBOL = relation(
  'symbol',
  [
    'The symbol of {x} is {y}.',
    '{y} is the symbol of {x}.',
    'The element {x} has the symbol {y}.',
    'Chemists write {y} for {x}.',
  ],
  'What is the symbol of {x}?',
  'the symbol of {x}',
  ['Which symbol does {x} have?', 'What is the chemical symbol of {x}?', 'How is {x} written?'],
  'By which symbol do chemists know {x}?',
);

export const ELEMENT = relation(
  'element',
  [
    '{y} stands for {x}.',
    'The symbol {y} means {x}.',
    'The element with the symbol {y} is {x}.',
    '{x} is written {y}.',
  ],
  'What does the symbol {y} stand for?',
  'what the symbol {y} stands for',
  ['Which element has the symbol {y}?', 'Which element is written {y}?'],
  'The symbol {y} stands for which element?',
);

export const COLOR = relation(
  'color',
  [
    '{x} is {y}.',
    'The color of {x} is {y}.',
    '{y} is the color of {x}.',
    'As for color, {x} is {y}.',
  ],
  'What color is {x}?',
  'what color {x} is',
  ['What is the color of {x}?', 'Which color does {x} have?'],
  '{x} has which color?',
);

export const HOME = relation(
  'home',
  [
    '{x} lives in {y}.',
    'The home of {x} is {y}.',
    'In {y} you may find {x}.',
    'Look for {x} in {y}.',
  ],
  'Where does {x} live?',
  'where {x} lives',
  ['What is the home of {x}?', 'Where can I find {x}?'],
  'In which home does {x} live?',
);

export const YOUNG = relation(
  'young',
  [
    'A young {x} is called a {y}.',
    'The young of a {x} is a {y}.',
    'A {y} grows up to be a {x}.',
    'A {x} was once a {y}.',
  ],
  'What is a young {x} called?',
  'what a young {x} is called',
  ['What is the young of a {x}?', 'What do you call a young {x}?'],
  'The young of a {x}: what is it called?',
);

export const SOUND = relation(
  'sound',
  ['{x} {y}.', 'The sound of {x}: it {y}.', 'You hear it when {x} {y}.', 'Listen: {x} {y}.'],
  'What sound does {x} make?',
  'what sound {x} makes',
  ['Which noise does {x} make?', 'What does {x} sound like?'],
  'When I hear {x}, what sound is it?',
);

export const USE = relation(
  'use',
  ['{x} is used to {y}.', 'People use {x} to {y}.', 'To {y}, take {x}.', 'With {x} you can {y}.'],
  'What is {x} used for?',
  'what {x} is used for',
  ['What do people use {x} for?', 'What can I do with {x}?'],
  'For what do people use {x}?',
);

export const PLACE = relation(
  'place',
  [
    'You find {x} in {y}.',
    '{x} can be found in {y}.',
    'In {y} there is {x}.',
    'The place for {x} is {y}.',
  ],
  'Where do you find {x}?',
  'where to find {x}',
  ['Where is the place for {x}?', 'In which place is there {x}?'],
  'I am looking for {x}. Where do you find it?',
);

export const MADE_OF = relation(
  'made-of',
  [
    '{x} is made of {y}.',
    'People make {x} from {y}.',
    '{y} is what {x} is made of.',
    'The material of {x} is {y}.',
  ],
  'What is {x} made of?',
  'what {x} is made of',
  ['What do people make {x} from?', 'Which material is {x} made of?'],
  'Of which material is {x} made?',
);

export const WORK = relation(
  'work',
  [
    '{x} {y}.',
    'The work of {x}: someone who {y}.',
    'Someone who {y} is {x}.',
    'If a person {y}, that person is {x}.',
  ],
  'What does {x} do?',
  'what {x} does',
  ['What is the work of {x}?', 'What is the job of {x}?'],
  'As for work, what does {x} do?',
);

export const NEXT = relation(
  'next',
  [
    'After {x} comes {y}.',
    '{y} comes after {x}.',
    '{x} is followed by {y}.',
    'First {x}, then {y}.',
  ],
  'What comes after {x}?',
  'what comes after {x}',
  ['What follows {x}?', 'What is next after {x}?'],
  '{x} comes first. What comes next?',
);

export const BEFORE = relation(
  'before',
  [
    'Before {y} comes {x}.',
    '{x} comes before {y}.',
    '{x} is just before {y}.',
    'Just before {y} there is {x}.',
  ],
  'What comes before {y}?',
  'what comes before {y}',
  ['What is just before {y}?', 'What precedes {y}?'],
  'Which one comes just before {y}?',
);

export const PLURAL = relation(
  'plural',
  [
    'The plural of {x} is {y}.',
    'One {x}, two {y}.',
    'More than one {x}: {y}.',
    '{y} is the plural of {x}.',
  ],
  'What is the plural of {x}?',
  'the plural of {x}',
  ['What do you call two of a {x}?', 'Name the plural of {x}.'],
  'One {x}, but two of what?',
);

export const PAST = relation(
  'past',
  [
    'The past tense of {x} is {y}.',
    'Today we {x}, yesterday we {y}.',
    '{y} is the past tense of {x}.',
    'Now I {x}; before, I {y}.',
  ],
  'What is the past tense of {x}?',
  'the past tense of {x}',
  ['What is the past of {x}?', 'Name the past tense of {x}.'],
  'How do you say {x} in the past tense?',
);

export const SUM = relation(
  'sum',
  ['{x} plus {y} is {z}.', '{x} and {y} make {z}.', '{z} is {x} plus {y}.', 'Add {x} to {y}: {z}.'],
  'What is {x} plus {y}?',
  'what {x} plus {y} is',
  ['How much is {x} plus {y}?', 'What do {x} and {y} make?'],
  'Add {x} and {y}. What is the sum?',
);
