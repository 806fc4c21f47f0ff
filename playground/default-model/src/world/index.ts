// The public entry `@lmflow/playground-default-model/world`: what the default model has read.
export { LESSONS, makeWorld, readSources, type Plan, type Sources, type World } from './world.ts';
export type { Conversation, Message } from './conversation.ts';
export type { Fact } from './fact.ts';
export type { Scene } from './scene.ts';
