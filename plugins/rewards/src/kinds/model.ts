// A reward model as a reward: with its own tokenizer and template, on texts, never on ids of the model
// that answered.
import { createHash } from 'node:crypto';
import { readdir, stat } from 'node:fs/promises';
import { join } from 'node:path';
import {
  defineReward,
  MODELS,
  SCORER,
  type AnswerPrompt,
  type Resolve,
  type RewardInput,
  type RewardKind,
} from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';
import type { Model } from '@lmflow/sdk/model';
import { answerRows } from '@lmflow/plugin-datasets';
import { z } from 'zod';
import { AnswersError } from '../answers-error.ts';
import { notARewardModel } from '../errors.ts';

/** A head that is there has no use for it. */
const SEED = 42;

const options = z.object({
  model: z.string().min(1).describe('Folder or hub id of a reward model.'),
  revision: z.string().min(1).optional().describe('Branch, tag or commit of a hub id.'),
  adapter: z
    .string()
    .min(1)
    .optional()
    .describe('Folder of a LoRA adapter with a head (SEQ_CLS); model is its base then.'),
  batchSize: z.int().positive().optional().describe('Most answers that are computed at once.'),
});

export function modelReward(resolve: Resolve): RewardKind {
  return defineReward({
    name: 'model',
    description: 'the score of a reward model',
    options,
    timeout: Infinity,
    open: async ({ model: source, revision, adapter, batchSize }, { name, signal }) => {
      const model = await resolve(MODELS).load({
        role: 'reward',
        purpose: 'inference',
        source,
        ...(revision === undefined ? {} : { revision }),
        classifier: { labels: 1, seed: SEED },
        ...(adapter === undefined ? {} : { settings: { adapter } }),
        signal,
      });
      if (adapter !== undefined && !model.adapter) {
        throw notARewardModel(name, `no plugin reads the adapter ${adapter}; load lora`);
      }
      if (model.freshHead && !model.parameters.has('score.weight')) {
        throw notARewardModel(name, `${source} has no head that scores answers`);
      }
      const session = resolve(SCORER).open(model, batchSize === undefined ? {} : { batchSize });
      return {
        fingerprint: await fingerprintOf([
          model.folder,
          ...(adapter === undefined ? [] : [adapter]),
        ]),
        score: async (input) => [
          ...(await session.values(await rowsOf(input, model), { signal: input.signal })),
        ],
        dispose: () => session.dispose(),
      };
    },
  });
}

async function rowsOf(input: RewardInput, model: Model): Promise<Int32Array[]> {
  const { maxPositions } = model.architecture;
  const answers = input.completions.map((answer, index) => ({
    prompt: promptOf(input.prompts[index]!),
    answer,
  }));
  const rows = await answerRows(model.tokenizer, answers);
  const longer = rows.findIndex(({ length }) => length > maxPositions);
  if (longer < 0) return rows;
  throw new AnswersError(
    `prompt and answer are ${rows[longer]!.length} tokens for ${model.source}, which reads ${maxPositions}`,
    { from: longer },
  );
}

function promptOf(prompt: RewardInput['prompts'][number]): AnswerPrompt {
  return typeof prompt === 'string' ? { prompt } : { messages: prompt };
}

/** Of small files what they hold, of large ones how long and how old they are. */
async function fingerprintOf(folders: readonly string[]): Promise<string> {
  const hash = createHash('sha256');
  for (const folder of folders) {
    for (const name of (await readdir(folder)).sort()) {
      const path = join(folder, name);
      const { size, mtimeMs } = await stat(path);
      if (/\.(json|jinja|txt)$/.test(name)) hash.update(name).update(await readWhole(path));
      else if (/\.(safetensors|bin)$/.test(name)) hash.update(`${name} ${size} ${mtimeMs}`);
    }
  }
  return hash.digest('hex');
}
