// Every field of PEFT's LoraConfig with another value than its default: PEFT's logits, or refused by
// the field's name. Never read as if it were not there.
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  FIXTURES,
  json,
  largestDifference,
  load,
  logitsOf,
  modelFolder,
  tensors,
  withKernel,
} from './family.ts';

interface Case {
  readonly field: string;
  readonly value: unknown;
  readonly folder: string;
}

/** Refused: data, other losses or other products would be needed. */
const REFUSED = [
  'task_type',
  'init_lora_weights = "corda"',
  'init_lora_weights = "lora_ga"',
  'megatron_config',
  'velora_config',
  'alora_invocation_tokens',
  'use_qalora',
  'monteclora_config',
  'layer_replication',
  'target_parameters',
  'use_bdlora',
  'arrow_config',
  'kasa_config',
];

const { cases, fields } = json<{ cases: Case[]; fields: string[] }>(
  'lora-fields',
  'reference.json',
);
const model = modelFolder('llama');

for (const { field, value, folder } of cases) {
  const text = `${field} = ${JSON.stringify(value)}`;
  const refused = REFUSED.some((one) => text === one || text.startsWith(`${one} =`));
  test(`${text}: ${refused ? 'refused by name' : "PEFT's logits"}`, async () => {
    const reference = await tensors('lora-fields', 'reference.safetensors');
    const ids = reference.get('input_ids')!.data;
    await withKernel(
      'lora',
      { lora: { adapter: join(FIXTURES, 'lora-fields', folder) } },
      async (kernel) => {
        const found = await load(kernel, model, 'inference').then(
          (loaded) => logitsOf(kernel, loaded, ids, 1),
          (error: unknown) => error as { code: string; message: string },
        );
        if (!(found instanceof Float32Array)) {
          assert.is(found.code, 'LMFLOW_ADAPTER_UNSUPPORTED', found.message);
          assert.match(found.message, `${field} = `);
          assert.ok(refused, found.message);
          return;
        }
        assert.not(refused, 'it was read');
        const expected = reference.get(folder)!.data;
        const difference = largestDifference(
          found,
          expected,
          Array<number>(ids.length).fill(1),
          96,
        );
        // PEFT decomposes in float32, and these models amplify what that rounds.
        const limit = String(value).startsWith('pissa') ? 5e-5 : 1e-5;
        assert.ok(difference < limit, `logits differ by ${difference}`);
      },
    );
  });
}

test('the fixtures have a case for every field but those that are no setting', () => {
  const without = fields.filter((name) => cases.every(({ field }) => field !== name));
  assert.equal(without, ['peft_type', 'peft_version']);
});

test.run();
