// The public entry `@lmflow/playground-default-model/wordnet`: WordNet as a graph, and its medical
// part, which the default model never reads.
export { WordNet, type Sense } from './wordnet.ts';
export type { PartOfSpeech, Pointer, Synset } from './synset.ts';
export { MEDICAL_KINDS, MedicalWords, medicalSynsets, synsetsOfKind } from './medical.ts';
