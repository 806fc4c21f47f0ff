// Makes what the default model is pretrained from: texts, conversations, a tokenizer learned from
// them, the configuration of a small Llama, and what the card asks. Everything goes to ./work, or to
// the folder named on the command line.
import { copyFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { makeFolder } from '@lmflow/sdk/files';
import { writeLines } from './lines.ts';
import { learnTokenizer } from './tokenizer.ts';
import { LESSONS, makeWorld, readSources, type World } from './world/index.ts';

const SEED = 42;
const CHARACTERS = 34_000_000;
const VOCABULARY = 4096;
const TEMPLATE = 'chat_template.jinja';

const folder = process.argv[2] ?? 'work';
const model = join(folder, 'model');
await makeFolder(model);

const sources = readSources();
const world = makeWorld(SEED, CHARACTERS, sources);
await writeWorld('', world);
await writeWorld('lessons-', makeWorld(SEED, CHARACTERS, sources, LESSONS));
await writeLines(join(folder, 'facts.jsonl'), world.facts);
await writeLines(join(folder, 'held-out-scenes.jsonl'), world.heldOutScenes);

const contents = world.conversations.slice(0, 20_000).flat();
const sample = [...world.texts.slice(0, 20_000), ...contents.map(({ content }) => content)];
learnTokenizer(model, [...sample, ...new Set(world.facts.flatMap(all))], VOCABULARY);
copyFileSync(new URL(`../${TEMPLATE}`, import.meta.url), join(model, TEMPLATE));
writeFileSync(
  join(model, 'config.json'),
  JSON.stringify(
    {
      architectures: ['LlamaForCausalLM'],
      model_type: 'llama',
      hidden_size: 192,
      intermediate_size: 512,
      num_hidden_layers: 4,
      num_attention_heads: 6,
      num_key_value_heads: 2,
      head_dim: 32,
      vocab_size: VOCABULARY,
      max_position_embeddings: 1024,
      rms_norm_eps: 1e-5,
      rope_theta: 10000,
      tie_word_embeddings: true,
      hidden_act: 'silu',
      bos_token_id: 0,
      eos_token_id: 1,
      initializer_range: 0.05,
      torch_dtype: 'float32',
    },
    undefined,
    1,
  ),
);
console.log(
  `${world.facts.length} facts, ${world.texts.length} texts, ` +
    `${world.conversations.length} conversations`,
);

function all({ statements, questions }: (typeof world.facts)[number]): readonly string[] {
  return [...statements, ...questions];
}

async function writeWorld(prefix: string, { texts, conversations }: World): Promise<void> {
  // Every word of the tokenizer has its space.
  await writeLines(
    join(folder, `${prefix}texts.jsonl`),
    texts.map((text) => ({ text: ` ${text}` })),
  );
  await writeLines(
    join(folder, `${prefix}conversations.jsonl`),
    conversations.map((messages) => ({ messages })),
  );
}
