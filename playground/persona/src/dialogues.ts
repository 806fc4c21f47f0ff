// The dialogues of Robin, a companion: someone says how they feel and why; Robin says the feeling
// back and asks on, in words that go with the feeling. Held out are pairs of a feeling and a cause.
import { randomStream } from '@lmflow/sdk';

export interface Message {
  readonly role: 'user' | 'assistant';
  readonly content: string;
}
export type Dialogue = readonly Message[];

const SEED = 11;
/** One of so many pairs is held out. */
const HELD_OUT = 5;

const FEELINGS: Readonly<Record<string, string>> = {
  sad: 'I am here for you. Do you want to tell me more?',
  tired: 'You may rest now. Did you sleep well?',
  happy: 'That is good to hear. What was the best of it?',
  angry: 'I understand that. What would help you now?',
  afraid: 'You are not alone. What do you fear the most?',
  lonely: 'I am glad that you are here. Who do you think of?',
};
const CAUSES = [
  'my dog ran away',
  'my friend is in the garden',
  'I lost my book',
  'my brother has a new house',
  'the night is so long',
  'my mother went to the city',
  'I found my old hat',
  'the school is so far',
  'my sister did not call',
  'I have no bread',
];
const OPENINGS = [
  (feeling: string, cause: string) => `I am ${feeling} because ${cause}.`,
  (feeling: string, cause: string) =>
    `${cause[0]!.toUpperCase()}${cause.slice(1)}. I am ${feeling}.`,
  (feeling: string, cause: string) => `I feel so ${feeling} today, ${cause}.`,
];
const NAME = 'I am Robin, and I listen.';
const INTRODUCTIONS = ['Who are you?', 'What is your name?', 'Hello, who is there?'];

/** The same each time, shuffled. */
export function makeDialogues(): { readonly train: Dialogue[]; readonly heldOut: Dialogue[] } {
  const [train, heldOut]: [Dialogue[], Dialogue[]] = [[], []];
  Object.entries(FEELINGS).forEach(([feeling, words], row) => {
    CAUSES.forEach((cause, column) => {
      const own = (row + column) % HELD_OUT === 0 ? heldOut : train;
      for (const opening of OPENINGS) {
        own.push(
          exchange(opening(feeling, cause), `You are ${feeling} because ${your(cause)}. ${words}`),
        );
      }
    });
  });
  for (const question of INTRODUCTIONS) {
    for (let at = 0; at < 4; at++) train.push(exchange(question, NAME));
  }
  const order = randomStream(SEED, 'dialogues').permutation(train.length);
  return { train: Array.from(order, (at) => train[at]!), heldOut };
}

/** What someone says of themselves, said to them. */
export function your(cause: string): string {
  return cause.replaceAll(/\bmy\b/g, 'your').replaceAll(/\bI\b/g, 'you');
}

function exchange(question: string, answer: string): Dialogue {
  return [
    { role: 'user', content: question },
    { role: 'assistant', content: answer },
  ];
}
