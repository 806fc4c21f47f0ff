// Makes what the demo trains on: sentences of every field, questions and answers about animals, a
// tokenizer learned from the sentences, and the configuration of a tiny Llama. Everything goes to
// ./work.
import { writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { randomStream } from '@lmflow/sdk';
import { makeFolder } from '@lmflow/sdk/files';
import { question, readEntries, sentence, type Entry } from './wordnet.ts';
import { learnTokenizer } from './tokenizer.ts';

const ANIMALS = 5;
const VOCABULARY = 4096;
const folder = 'work';
await makeFolder(join(folder, 'model'));

const entries = shuffled(readEntries());
// Without families and genera, whose names are capitalised and whose definitions are all alike.
const animals = entries.filter(
  ({ word, part, field }) => part === 'noun' && field === ANIMALS && /^[a-z]/.test(word),
);
const pairs = animals.map((entry) => ({
  instruction: question(entry),
  input: '',
  output: sentence(entry),
}));
const heldOut = 200;
writeJson('questions.json', pairs.slice(heldOut, heldOut + 1600));
writeJson('held-out.json', pairs.slice(0, heldOut));

// The base model never reads an animal's definition: what the adapter gains is gained in tuning.
const sentences = entries.filter((entry) => !animals.includes(entry)).map(sentence);
writeFileSync(
  join(folder, 'sentences.jsonl'),
  sentences.map((text) => `${JSON.stringify({ text })}\n`).join(''),
);

learnTokenizer(join(folder, 'model'), sentences, VOCABULARY);
writeJson('model/config.json', {
  architectures: ['LlamaForCausalLM'],
  model_type: 'llama',
  hidden_size: 192,
  intermediate_size: 512,
  num_hidden_layers: 4,
  num_attention_heads: 6,
  num_key_value_heads: 2,
  head_dim: 32,
  vocab_size: VOCABULARY,
  max_position_embeddings: 256,
  rms_norm_eps: 1e-5,
  rope_theta: 10000,
  tie_word_embeddings: true,
  hidden_act: 'silu',
  bos_token_id: 0,
  eos_token_id: 1,
  initializer_range: 0.05,
  torch_dtype: 'float32',
});
console.log(
  `${sentences.length} sentences, ${pairs.length} questions (${heldOut} held out), e.g. ` +
    `${pairs[0]!.instruction} ${pairs[0]!.output}`,
);

function shuffled(list: Entry[]): Entry[] {
  return Array.from(randomStream(42, 'demo').permutation(list.length), (index) => list[index]!);
}

function writeJson(name: string, value: unknown): void {
  writeFileSync(join(folder, name), JSON.stringify(value, undefined, 1));
}
