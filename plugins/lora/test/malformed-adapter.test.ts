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

/** Settings with a value of another type, and of a type that looks right. */
const WRONG: readonly (readonly [key: string, value: unknown])[] = [
  ['r', 2.5],
  ['lora_alpha', null],
  ['lora_dropout', '0.1'],
  ['target_modules', { q_proj: 1 }],
  ['target_modules', [1]],
  ['exclude_modules', 7],
  ['layers_to_transform', ['0']],
  ['layers_pattern', [null]],
  ['rank_pattern', { q_proj: '4' }],
  ['rank_pattern', [4]],
  ['alpha_pattern', 'q_proj'],
  ['modules_to_save', 'lm_head'],
  ['modules_to_save', { lm_head: true }],
  ['modules_to_save', [['lm_head']]],
  ['use_rslora', 'yes'],
  ['use_dora', 1],
  ['lora_bias', []],
  ['fan_in_fan_out', 'false'],
  ['ensure_weight_tying', 0],
  ['bias', ['none']],
  ['init_lora_weights', {}],
  ['loftq_config', 'x'.repeat(1000)],
  ['loftq_config', { loftq_iter: '1' }],
];

/** An expression that takes 2^n steps on a name of n characters that does not end in "!". */
const SLOW = '([a-z_.0-9]+)+!';
const SLOW_SETTINGS: Readonly<Record<string, object>> = {
  target_modules: { target_modules: SLOW },
  exclude_modules: { exclude_modules: SLOW },
  layers_pattern: { target_modules: ['q_proj'], layers_pattern: SLOW, layers_to_transform: [0] },
  rank_pattern: { rank_pattern: { q_proj: 2, [SLOW]: 2 } },
  alpha_pattern: { alpha_pattern: { [SLOW]: 4 } },
};

const PLACES = { target_modules: ['q_proj'] };

interface Case {
  readonly config?: unknown;
  readonly tensors?: Record<string, number[]>;
  readonly raw?: Buffer;
  /** A number that every tensor holds. */
  readonly filled?: number;
  /** Another file in place of adapter_model.safetensors. */
  readonly file?: string;
  readonly code: string;
  readonly says: string;
}

const cases: Record<string, Case> = {
  ...Object.fromEntries(
    WRONG.map(([key, value]): [string, Case] => [
      `${key} is ${JSON.stringify(value).slice(0, 40)}`,
      {
        config: { ...good.config, [key]: value },
        code: 'LMFLOW_ADAPTER_INVALID',
        says: `adapter_config.json: "${key}" must be `,
      },
    ]),
  ),
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
  'another method, IA3': {
    config: { ...good.config, peft_type: 'IA3' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'peft_type = "IA3"',
  },
  'another method, VERA': {
    config: { ...good.config, peft_type: 'VERA' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'peft_type = "VERA"',
  },
  'another method, LOKR': {
    config: { ...good.config, peft_type: 'LOKR' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'peft_type = "LOKR"',
  },
  'another method, OFT': {
    config: { ...good.config, peft_type: 'OFT' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'peft_type = "OFT"',
  },
  'another method, PROMPT_TUNING': {
    config: { ...good.config, peft_type: 'PROMPT_TUNING' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'peft_type = "PROMPT_TUNING"',
  },
  QALoRA: {
    config: { ...good.config, use_qalora: true },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'use_qalora',
  },
  'biases that PEFT does not know': {
    config: { ...good.config, bias: 'some' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: '"some"',
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
  'adapter-without-tensors: a valid file with an empty header': {
    config: { ...good.config, ...PLACES },
    tensors: {},
    code: 'LMFLOW_ADAPTER_INCOMPLETE',
    says: 'none of the tensors that target_modules names',
  },
  'adapter-without-tensors: no tensors, and settings that name none': {
    tensors: {},
    code: 'LMFLOW_ADAPTER_MISMATCH',
    says: 'no tensors',
  },
  'adapter-without-tensors: names have a prefix that nobody knows': {
    config: { ...good.config, ...PLACES },
    tensors: Object.fromEntries(
      Object.entries(good.tensors).map(([name, shape]) => [name.replace('base_model', 'x'), shape]),
    ),
    code: 'LMFLOW_ADAPTER_MISMATCH',
    says: 'it adapts x.model.',
  },
  'adapter-without-tensors: matrices of some targets only': {
    config: { ...good.config, ...PLACES },
    code: 'LMFLOW_ADAPTER_INCOMPLETE',
    says: 'missing: those of model.layers.1.self_attn.q_proj',
  },
  'adapter-without-tensors: some targets only, named by an expression': {
    config: { ...good.config, target_modules: '.*self_attn.(q|k)_proj' },
    code: 'LMFLOW_ADAPTER_INCOMPLETE',
    says: 'k_proj and 1 more',
  },
  'adapter-not-finite: NaN in a matrix': {
    filled: Number.NaN,
    code: 'LMFLOW_ADAPTER_NOT_FINITE',
    says: 'lora_A.weight holds NaN',
  },
  'adapter-not-finite: an infinite number': {
    filled: Infinity,
    code: 'LMFLOW_ADAPTER_NOT_FINITE',
    says: 'holds Infinity',
  },
  'adapter-unclear-errors: a pickle': {
    file: 'adapter_model.bin',
    code: 'LMFLOW_ADAPTER_PICKLE',
    says: 'adapter_model.bin is a Python pickle',
  },
  'adapter-unclear-errors: no weights at all': {
    file: 'other.safetensors',
    code: 'LMFLOW_ADAPTER_NOT_FOUND',
    says: 'adapter_model.safetensors: no such file',
  },
  'adapter-unclear-errors: one of mlx-lm': {
    config: { fine_tune_type: 'lora', num_layers: 4, lora_parameters: { rank: 8 } },
    file: 'adapters.safetensors',
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'is no PEFT adapter',
  },
  'adapter-unclear-errors: of a classifier': {
    config: { ...good.config, task_type: 'SEQ_CLS' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'task_type = "SEQ_CLS"',
  },
  'a setting that nobody knows': {
    config: { ...good.config, use_newest_lora: true },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'use_newest_lora = true',
  },
  'an initialisation that data decide': {
    config: { ...good.config, init_lora_weights: 'corda' },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'init_lora_weights = "corda"',
  },
  'PiSSA with DoRA': {
    config: { ...good.config, init_lora_weights: 'pissa', use_dora: true },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'init_lora_weights = "pissa"',
  },
  'LoftQ in 8 bits': {
    config: { ...good.config, init_lora_weights: 'loftq', loftq_config: { loftq_bits: 8 } },
    code: 'LMFLOW_ADAPTER_UNSUPPORTED',
    says: 'loftq_config = {"loftq_bits":8}',
  },
  ...Object.fromEntries(
    Object.entries(SLOW_SETTINGS).map(([key, settings]): [string, Case] => [
      `${key} backtracks for ever`,
      {
        config: { ...good.config, ...settings },
        code: 'LMFLOW_EXPRESSION_TOO_SLOW',
        says: `adapter_config.json: ${key}: the regular expression `,
      },
    ]),
  ),
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
  { config = good.config, tensors = good.tensors, raw, code, says, filled = 0, file: other },
] of Object.entries(cases)) {
  test(name, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-adapter-'));
    if (config !== null) {
      writeFileSync(
        join(folder, 'adapter_config.json'),
        typeof config === 'string' ? config : JSON.stringify(config),
      );
    }
    const file = join(folder, other ?? 'adapter_model.safetensors');
    if (raw) writeFileSync(file, raw);
    else {
      await writeSafetensors(
        file,
        Object.entries(tensors).map(
          ([key, shape]) =>
            [
              key,
              { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(filled) },
            ] as const,
        ),
      );
    }
    const start = Date.now();
    try {
      await loadAdapter(tinyModel(), options({ adapter: folder }), 1);
    } catch (error) {
      assert.ok(Date.now() - start < 2000, 'within a second, and time for a busy machine');
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

for (const method of ['IA3', 'VERA']) {
  test(`an adapter of ${method} is refused with the plugin that reads it`, async () => {
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-adapter-'));
    writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify({ peft_type: method }));
    const error = await loadAdapter(tinyModel(), options({ adapter: folder }), 1).catch(
      (reason: unknown) => reason,
    );
    assert.ok(isLMFlowError(error));
    const plugin = method.toLowerCase();
    assert.is(error.hint, `Load the plugin ${plugin}, and name the folder with ${plugin}.adapter.`);
  });
}

test.run();
