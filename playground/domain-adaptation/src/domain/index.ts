// The public entry `@lmflow/playground-domain-adaptation/domain`.
export { ALL, makeDomain, type Amounts, type Conversation, type Domain } from './domain.ts';
export { phrasesOf, plain } from './phrases.ts';
export { readTerms, type Term, type Terms } from './terms.ts';
export { makeReplay } from './replay.ts';
export { writeDomain } from './write.ts';
