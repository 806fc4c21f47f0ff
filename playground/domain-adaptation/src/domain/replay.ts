// A little of what the default model has read before: what it reads again, it forgets less of.
import {
  makeWorld,
  readSources,
  type Conversation,
  type Plan,
} from '@lmflow/playground-default-model/world';

const SEED = 42;
const PLAN: Plan = {
  name: 'replay ',
  texts: { facts: 0, definitions: 0, examples: 0, stories: 0 },
  conversations: { facts: 80, scene: 0, lesson: 10, talk: 10, long: 0 },
};

/** Conversations of about so many characters, most of them about facts. */
export function makeReplay(characters = 400_000): readonly Conversation[] {
  return makeWorld(SEED, characters, readSources(), PLAN).conversations;
}
