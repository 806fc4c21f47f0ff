// What the commands and the test of leaks use of the domain.
export { ALL, makeDomain } from './domain.ts';
export { readTerms, type Term } from './terms.ts';
export { makeReplay } from './replay.ts';
export { writeDomain } from './write.ts';
