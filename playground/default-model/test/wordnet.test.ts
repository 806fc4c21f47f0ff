// The reader of WordNet, against counts taken from its files by other means, and known entries.
import assert from 'node:assert/strict';
import { suite } from 'uvu';
import { MedicalWords, WordNet, medicalSynsets } from '../src/wordnet/index.ts';

const test = suite('WordNet');
const wordnet = new WordNet();

test('reads every synset', () => {
  assert.equal(wordnet.synsets.size, 117_791);
});

test('has senses in order, with counts, kinds, wholes and opposites', () => {
  const [dog] = wordnet.senses('dog', 'noun');
  assert.deepEqual(dog!.synset.words, ['dog', 'domestic dog', 'Canis familiaris']);
  assert.equal(dog!.count, 42);
  assert.match(dog!.synset.definition, /^a member of the genus Canis that has been domesticated/);
  assert.deepEqual(dog!.synset.examples, ['the dog barked all night']);
  const names = wordnet.ancestors(dog!.synset).map(({ words }) => words[0]);
  assert.ok(names.includes('carnivore') && names.at(-1) === 'entity');
  assert.ok(wordnet.parts(dog!.synset).some(({ words }) => words[0] === 'flag'));
  const [hot] = wordnet.senses('hot', 'adj');
  assert.deepEqual(wordnet.opposites(hot!.synset), [['hot', 'cold']]);
  assert.ok(wordnet.isFirstSense('hot', hot!.synset));
});

test('finds what is medical', () => {
  assert.equal(medicalSynsets(wordnet).size, 2693);
  const medical = new MedicalWords(wordnet);
  assert.ok(medical.words.has('hepatitis') && medical.words.has('appendectomy'));
  assert.ok(medical.isNamedIn('He had two tumors, they say.'));
  assert.ok(medical.isNamedIn('She was in ill health.'));
  assert.ok(!medical.isNamedIn('The opposite of hot is cold; a bone is a body part.'));
});

test.run();
