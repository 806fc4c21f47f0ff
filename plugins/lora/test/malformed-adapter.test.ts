// Adapters that cannot be used: one clear error each, with its code, naming the file and what is
// wrong.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import { loadAdapter } from '../src/load.ts';
import { options, tinyModel } from './model.ts';

const Q = 'base_model.model.model.layers.0.self_attn.q_proj';
const good = {
  config: { peft_type: 'LORA', r: 2, lora_alpha: 4 } as Record<string, unknown>,
  tensors: { [`${Q}.lora_A.weight`]: [2, 6], [`${Q}.lora_B.weight`]: [4, 2] } as Record<
    string,
    number[]
  >,
};

interface Case {
  readonly config?: unknown;
  readonly tensors?: Record<string, number[]>;
  readonly raw?: Buffer;
  readonly code: string;
  readonly says: string;
}

const cases: Record<string, Case> = {
  'no config': { config: null, code: 'LMFLOW_ADAPTER_NOT_FOUND', says: 'adapter_config.json' },
  'config is not JSON': {
    config: '{',
    code: 'LMFLOW_ADAPTER_INVALID',
    says: 'adapter_config.json',
  },
  'config is a list': { config: '[]', code: 'LMFLOW_ADAPTER_INVALID', says: 'JSON object' },
  'no rank': {
    config: { peft_type: 'LORA', lora_alpha: 4 },
    code: 'LMFLOW_ADAPTER_INVALID',
    says: '"r"',
  },
  'alpha is text': {
    config: { ...good.config, lora_alpha: '4' },
    code: 'LMFLOW_ADAPTER_INVALID',
    says: '"lora_alpha"',
  },
  'another method': {
    config: { ...good.config, peft_type: 'LOHA' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: '"LOHA"',
  },
  QALoRA: {
    config: { ...good.config, use_qalora: true },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'use_qalora',
  },
  'trained biases': {
    config: { ...good.config, bias: 'all' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: '"all"',
  },
  'no tensors': {
    tensors: {},
    raw: Buffer.alloc(0),
    code: 'LMFLOW_SAFETENSORS_',
    says: 'adapter_model.safetensors',
  },
  'rank of the file differs': {
    config: { ...good.config, r: 3 },
    code: 'LMFLOW_PARAMETERS_MISMATCH',
    says: '[2, 6], the model needs [3, 6]',
  },
  'a module the model lacks': {
    tensors: {
      ...good.tensors,
      'base_model.model.model.layers.9.self_attn.q_proj.lora_A.weight': [2, 6],
    },
    code: 'LMFLOW_ADAPTER_MISMATCH',
    says: 'layers.9',
  },
  'half of a pair': {
    tensors: { [`${Q}.lora_A.weight`]: [2, 6] },
    code: 'LMFLOW_PARAMETERS_MISMATCH',
    says: 'lora_B.weight is missing',
  },
  'a tensor without a place': {
    tensors: { ...good.tensors, 'base_model.model.extra.weight': [1] },
    code: 'LMFLOW_PARAMETERS_MISMATCH',
    says: 'extra.weight',
  },
};

for (const [
  name,
  { config = good.config, tensors = good.tensors, raw, code, says },
] of Object.entries(cases)) {
  test(name, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-adapter-'));
    if (config !== null) {
      writeFileSync(
        join(folder, 'adapter_config.json'),
        typeof config === 'string' ? config : JSON.stringify(config),
      );
    }
    const file = join(folder, 'adapter_model.safetensors');
    if (raw) writeFileSync(file, raw);
    else {
      await writeSafetensors(
        file,
        Object.entries(tensors).map(
          ([key, shape]) =>
            [key, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }] as const,
        ),
      );
    }
    try {
      await loadAdapter(tinyModel(), options({ adapter: folder }), 1);
    } catch (error) {
      assert.ok(isLMFlowError(error), String(error));
      assert.ok(error.code.startsWith(code), error.code);
      assert.match(error.message, says);
      return;
    }
    assert.unreachable('the adapter was taken');
  });
}

test('settings beside an adapter that are not its own are named', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-adapter-'));
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(good.config));
  await writeSafetensors(
    join(folder, 'adapter_model.safetensors'),
    Object.entries(good.tensors).map(
      ([key, shape]) =>
        [key, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)) }] as const,
    ),
  );
  const overruled = async (given: Record<string, unknown>): Promise<readonly string[]> =>
    (await loadAdapter(tinyModel(), options({ ...given, adapter: folder }), 1)).overruled;
  assert.equal(await overruled({}), []);
  assert.equal(await overruled({ r: 2, loraAlpha: 4 }), []);
  assert.equal(await overruled({ r: 16, loraDropout: 0.1, targetModules: ['q_proj'] }), [
    'r',
    'loraDropout',
    'targetModules',
  ]);
});

test.run();
