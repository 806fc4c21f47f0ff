// Trains a Llama of 0.9 million parameters with heads of 64 from random weights on sequences of 128
// tokens of ../shared's web and encyclopedia texts, for long-context.ts. Writes FOLDER/model and
// FOLDER/{train,held-out}.txt; a run that was cut off goes on. Usage:
// node --conditions=lmflow-source --import tsx test/bench/small-llama.ts FOLDER [--steps 700]
// [--data ../shared/data]
import { existsSync, mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join, resolve } from 'node:path';
import { parseArgs } from 'node:util';
import { createKernel } from 'lmflow';
import finetune from '@lmflow/preset-finetune';
import { learnTokenizer } from '../../playground/default-model/src/tokenizer.ts';

const {
  values,
  positionals: [out = ''],
} = parseArgs({
  allowPositionals: true,
  options: {
    steps: { type: 'string', default: '700' },
    data: { type: 'string', default: '../shared/data' },
  },
});
const data = resolve(values.data);
if (!existsSync(data)) {
  process.stdout.write(`skipped: no ${data}\n`);
  process.exit(0);
}
const [VOCABULARY, LENGTH, HELD_OUT] = [1024, 128, 1 << 17];

const seed = join(out, 'seed');
if (!existsSync(seed)) {
  mkdirSync(seed, { recursive: true });
  const web = readFileSync(join(data, 'c4_demo.jsonl'), 'utf8')
    .trim()
    .split('\n')
    .map((line) => (JSON.parse(line) as { text: string }).text)
    .join('\n\n');
  const encyclopedia = readFileSync(join(data, 'wiki_demo.txt'), 'utf8');
  const train = `${web}\n\n${encyclopedia.slice(0, -HELD_OUT)}`;
  writeFileSync(join(out, 'train.txt'), train);
  writeFileSync(join(out, 'held-out.txt'), encyclopedia.slice(-HELD_OUT));
  learnTokenizer(seed, train.split('\n'), VOCABULARY);
  writeFileSync(
    join(seed, 'config.json'),
    JSON.stringify({
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: 128,
      intermediate_size: 384,
      num_hidden_layers: 4,
      num_attention_heads: 2,
      num_key_value_heads: 2,
      head_dim: 64,
      vocab_size: VOCABULARY,
      max_position_embeddings: LENGTH,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      hidden_act: 'silu',
      bos_token_id: 0,
      eos_token_id: 1,
      initializer_range: 0.05,
      torch_dtype: 'float32',
    }),
  );
}
const kernel = await createKernel({
  presets: [finetune],
  model: seed,
  fromScratch: true,
  dataset: { path: join(out, 'train.txt'), sampleBy: 'document' },
  groupTexts: true,
  blockSize: LENGTH,
  outputDir: join(out, 'model'),
  maxSteps: Number(values.steps),
  perDeviceTrainBatchSize: 32,
  learningRate: 3e-3,
  lrSchedulerType: 'cosine',
  warmupSteps: 30,
  weightDecay: 0.01,
  loggingSteps: 25,
  saveSteps: 100,
  saveTotalLimit: 1,
  resumeFromCheckpoint: existsSync(join(out, 'model')),
});
await kernel.run('finetune');
await kernel.close();
