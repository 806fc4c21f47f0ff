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
import { veraOptions } from '../src/options.ts';

const LINEARS = [0, 1].flatMap((layer) =>
  ['q_proj', 'v_proj', 'o_proj'].map((last): LinearLayer => {
    const name = `model.layers.${layer}.self_attn.${last}`;
    const weight = `${name}.weight`;
    return { name, weight, inFeatures: 4, outFeatures: 3, layout: 'out-in', layer };
  }),
);

async function adapted(options: object, family = 'llama'): Promise<string[]> {
  const model = {
    source: 'tiny',
    linears: LINEARS,
    architecture: { family },
    weights: new Map(),
  } as unknown as Model;
  return [...(await loadAdapter(model, veraOptions.parse(options))).vectors.keys()];
}

async function refusal(work: Promise<unknown>): Promise<string> {
  const error = await work.then(
    () => undefined,
    (reason: unknown) => reason,
  );
  assert.ok(isLMFlowError(error), String(error));
  return `${error.code}: ${error.message}`;
}

test("default modules are PEFT's; blocks and names narrow them down", async () => {
  assert.equal(
    (await adapted({})).map((name) => name.slice('model.layers.'.length)),
    ['0.self_attn.q_proj', '0.self_attn.v_proj', '1.self_attn.q_proj', '1.self_attn.v_proj'],
  );
  assert.equal(await adapted({ targetModules: ['o_proj'], layersToTransform: [1] }), [
    'model.layers.1.self_attn.o_proj',
  ]);
});

const options: [options: object, says: RegExp, family?: string][] = [
  [{}, /LMFLOW_VERA_NO_DEFAULTS.*family other/, 'other'],
  [{ targetModules: ['q_proj', 'x'] }, /LMFLOW_VERA_UNKNOWN_MODULE.*targetModules: "x"/],
  [{ layersToTransform: [0, 2] }, /LMFLOW_VERA_UNKNOWN_MODULE.*layersToTransform: 2/],
  [{ targetModules: '(' }, /LMFLOW_VERA_INVALID_PATTERN/],
  [{ targetModules: '([a-z_.0-9]+)+!' }, /LMFLOW_EXPRESSION_TOO_SLOW.*vera\.targetModules: /],
];

for (const [given, says, family] of options) {
  test(`refused: ${family ?? 'llama'} ${JSON.stringify(given)}`, async () => {
    assert.match(await refusal(adapted(given, family)), says);
  });
}

const Q = 'base_model.model.model.layers.0.self_attn.q_proj.vera_lambda_';
const good = {
  peft_type: 'VERA',
  r: 2,
  target_modules: ['model.layers.0.self_attn.q_proj'],
  bias: 'none',
};
const vectors = { [`${Q}b`]: [3], [`${Q}d`]: [2] };
const shared = { 'base_model.vera_A': [2, 4], 'base_model.vera_B': [3, 2] };

async function written(config: object, tensors: Record<string, number[]>): Promise<string> {
  const adapter = mkdtempSync(join(tmpdir(), 'lmflow-vera-'));
  writeFileSync(join(adapter, 'adapter_config.json'), JSON.stringify(config));
  const filled = Object.entries(tensors).map(
    ([name, shape]) =>
      [name, { shape, data: new Float32Array(shape.reduce((a, b) => a * b, 1)).fill(2) }] as const,
  );
  await writeSafetensors(join(adapter, 'adapter_model.safetensors'), filled);
  return adapter;
}

test('a complete file is read', async () => {
  const adapter = await written(good, { ...vectors, ...shared });
  assert.equal(await adapted({ adapter }), ['model.layers.0.self_attn.q_proj']);
});

const files: [what: string, config: object, tensors: Record<string, number[]>, says: RegExp][] = [
  ['IA3', { peft_type: 'IA3' }, {}, /ADAPTER_UNSUPPORTED.*peft_type = "IA3"/],
  ['a new setting', { ...good, scale: 2 }, vectors, /ADAPTER_UNSUPPORTED.*scale = 2/],
  ['no rank', { ...good, r: undefined }, vectors, /ADAPTER_INVALID.*"r"/],
  ['biases', { ...good, bias: 'all' }, vectors, /ADAPTER_UNSUPPORTED.*bias = "all"/],
  ['no matrices', good, vectors, /ADAPTER_MISMATCH.*has no base_model.vera_A/],
  [
    'matrices of another size',
    good,
    { ...vectors, ...shared, 'base_model.vera_B': [4, 2] },
    /ADAPTER_MISMATCH.*vera_B is \[4, 2\]/,
  ],
  ['no vectors', good, shared, /ADAPTER_INCOMPLETE/],
  ['half of the vectors', good, { [`${Q}b`]: [3], ...shared }, /PARAMETERS_MISMATCH.*lambda_d/],
  ['another rank', { ...good, r: 3, save_projection: false }, vectors, /PARAMETERS_MISMATCH/],
];

for (const [what, config, tensors, says] of files) {
  test(`refused in a file: ${what}`, async () => {
    const adapter = await written(config, tensors);
    assert.match(await refusal(adapted({ adapter })), says);
  });
}

test.run();
