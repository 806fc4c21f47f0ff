// What the plugin chooses, names and refuses. That it computes what PEFT computes: test/parity.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { isLMFlowError } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import type { LinearLayer, Model } from '@lmflow/sdk/model';
import { loadAdapter } from '../src/load.ts';
import { ia3Options } from '../src/options.ts';

const linear = (name: string, inFeatures: number, outFeatures: number): LinearLayer => ({
  name: `model.layers.0.${name}`,
  weight: `model.layers.0.${name}.weight`,
  inFeatures,
  outFeatures,
  layout: 'out-in',
  layer: 0,
});

const LINEARS = [
  linear('self_attn.q_proj', 4, 4),
  linear('self_attn.k_proj', 4, 2),
  linear('self_attn.v_proj', 4, 2),
  linear('mlp.down_proj', 6, 4),
];

function tinyModel(family: string): Model {
  return {
    source: 'tiny',
    linears: LINEARS,
    architecture: { family },
    weights: new Map(),
  } as unknown as Model;
}

async function vectors(family: string, options: object): Promise<Record<string, string>> {
  const adapter = await loadAdapter(tinyModel(family), ia3Options.parse(options));
  return Object.fromEntries(
    [...adapter.vectors].map(([name, { input }]) => [
      name.split('.').at(-1)!,
      input ? 'input' : 'output',
    ]),
  );
}

async function codeOf(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isLMFlowError(error), String(error));
  return `${error.code}: ${error.message}`;
}

test('default modules are those of PEFT for the family', async () => {
  assert.equal(await vectors('llama', {}), {
    k_proj: 'output',
    v_proj: 'output',
    down_proj: 'input',
  });
  assert.equal(await vectors('qwen2', {}), {
    q_proj: 'output',
    v_proj: 'output',
    down_proj: 'input',
  });
});

test('the options choose modules; those without feedforward modules keep the default ones', async () => {
  assert.equal(await vectors('llama', { targetModules: ['q_proj', 'down_proj'] }), {
    q_proj: 'output',
    down_proj: 'input',
  });
  assert.equal(
    await vectors('llama', {
      targetModules: 'all-linear',
      excludeModules: ['v_proj'],
      feedforwardModules: '.*q_proj',
    }),
    { q_proj: 'input', k_proj: 'output', down_proj: 'output' },
  );
  assert.equal(await vectors('other', { targetModules: ['q_proj'], feedforwardModules: [] }), {
    q_proj: 'output',
  });
});

const refusals: [options: object, says: RegExp, family?: string][] = [
  [{}, /LMFLOW_IA3_NO_DEFAULTS.*family other/, 'other'],
  [{ targetModules: ['q_proj'] }, /LMFLOW_IA3_NO_DEFAULTS/, 'other'],
  [{ targetModules: ['q_proj', 'x'] }, /LMFLOW_IA3_UNKNOWN_MODULE.*targetModules: "x"/],
  [{ excludeModules: ['y'] }, /LMFLOW_IA3_UNKNOWN_MODULE.*excludeModules: "y"/],
  [{ feedforwardModules: ['q_proj'] }, /LMFLOW_IA3_UNKNOWN_MODULE.*feedforwardModules: "q_proj"/],
  [{ targetModules: '(' }, /LMFLOW_IA3_INVALID_PATTERN/],
  [{ targetModules: '([a-z_.0-9]+)+!' }, /LMFLOW_EXPRESSION_TOO_SLOW.*ia3\.targetModules: /],
  [{ targetModules: ['q_proj'], excludeModules: ['q_proj'] }, /LMFLOW_IA3_NO_TARGETS/],
];

for (const [options, says, family = 'llama'] of refusals) {
  test(`refused: ${family} ${JSON.stringify(options)}`, async () => {
    assert.match(await codeOf(vectors(family, options)), says);
  });
}

test('names of the file choose the same vectors again, also where an ending is ambiguous', async () => {
  const model = {
    ...tinyModel('llama'),
    linears: [...LINEARS, linear('mlp.proj', 4, 4)],
  } as Model;
  const options = { targetModules: 'all-linear', feedforwardModules: ['proj'] };
  const { config } = (await loadAdapter(model, ia3Options.parse(options))).save();
  // PEFT would take "proj" for the end of q_proj too
  assert.equal(config['feedforward_modules'], ['model.layers.0.mlp.proj']);
  assert.equal(config['target_modules'], [
    'down_proj',
    'k_proj',
    'model.layers.0.mlp.proj',
    'q_proj',
    'v_proj',
  ]);
});

const Q = 'base_model.model.model.layers.0.self_attn.q_proj.ia3_l';
const good = { peft_type: 'IA3', target_modules: ['q_proj'], feedforward_modules: [] };

async function written(config: object, tensors: Record<string, number[]>): Promise<string> {
  const adapter = mkdtempSync(join(tmpdir(), 'lmflow-ia3-'));
  writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify(config));
  const filled = Object.entries(tensors).map(
    ([name, shape]) =>
      [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(2) }] as const,
  );
  await writeSafetensors(join(adapter, 'adapter_model.safetensors'), filled);
  return adapter;
}

test("an adapter's tensors may have PEFT's inner name", async () => {
  const adapter = await written(good, { [`${Q}.default`]: [4, 1] });
  assert.equal(await vectors('llama', { adapter }), { q_proj: 'output' });
});

const files: [what: string, config: object, tensors: Record<string, number[]>, says: RegExp][] = [
  ['LoRA', { peft_type: 'LORA', r: 1 }, {}, /ADAPTER_UNSUPPORTED.*peft_type = "LORA"/],
  ['a new setting', { ...good, scale_by: 2 }, { [Q]: [4, 1] }, /ADAPTER_UNSUPPORTED.*scale_by = 2/],
  ['a wrong type', { ...good, feedforward_modules: 3 }, { [Q]: [4, 1] }, /ADAPTER_INVALID/],
  ['no tensors', good, {}, /ADAPTER_INCOMPLETE.*none of the tensors/],
  ['another shape', good, { [Q]: [3, 1] }, /PARAMETERS_MISMATCH.*\[3, 1\]/],
  [
    'a module that the model lacks',
    good,
    { [Q]: [4, 1], [Q.replace('0', '9')]: [4, 1] },
    /ADAPTER_MISMATCH.*layers.9/,
  ],
  ['a tensor without a place', good, { [Q]: [4, 1], x: [1] }, /PARAMETERS_MISMATCH.*tensor x/],
];

for (const [what, config, tensors, says] of files) {
  test(`refused in a file: ${what}`, async () => {
    const adapter = await written(config, tensors);
    assert.match(await codeOf(vectors('llama', { adapter })), says);
  });
}

test.run();
