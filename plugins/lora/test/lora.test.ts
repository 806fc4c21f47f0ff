// Targets, ranks by pattern, the adapted linears, merging, and the files.
import { mkdtempSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { grad, interpret, ndarray, sum } from '@lmflow/sdk/graph';
import { writeSafetensors } from '@lmflow/sdk/formats';
import { setAdapter } from '@lmflow/sdk/model';
import type { LoraAdapter } from '../src/adapter.ts';
import { loadAdapter } from '../src/load.ts';
import { addAdapters } from '../src/project.ts';
import { byPattern, targetLinears } from '../src/targets.ts';
import { LINEARS, options, tiedModel, tinyModel, trace } from './model.ts';

const names = (given: Record<string, unknown>): string[] =>
  targetLinears(LINEARS, options(given)).map(({ name }) => name);
const failure = async (work: () => unknown): Promise<{ code: string; message: string }> => {
  try {
    await work();
  } catch (error) {
    return error as { code: string; message: string };
  }
  throw new Error('nothing was thrown');
};

test('all-linear takes the linears of the blocks, not the head', () => {
  assert.equal(
    names({}),
    LINEARS.slice(0, 4).map(({ name }) => name),
  );
});

test('a list matches whole names and endings after a dot, a string is an expression for the whole path', () => {
  assert.equal(names({ targetModules: ['q_proj'] }), [
    'model.layers.0.self_attn.q_proj',
    'model.layers.1.self_attn.q_proj',
  ]);
  assert.equal(names({ targetModules: ['lm_head'] }), ['lm_head']);
  assert.equal(names({ targetModules: '.*\\.1\\..*' }), [
    'model.layers.1.self_attn.q_proj',
    'model.layers.1.mlp.c_fc',
  ]);
  assert.equal(names({ excludeModules: ['k_proj'], layersToTransform: [0] }), [
    'model.layers.0.self_attn.q_proj',
  ]);
});

test('nothing to adapt is an error that lists what there is', async () => {
  const { code, message } = await failure(() => names({ targetModules: ['proj'] }));
  assert.is(code, 'LMFLOW_LORA_NO_TARGETS');
  assert.match(message, '["proj"]');
  assert.is(
    (await failure(() => names({ targetModules: '(' }))).code,
    'LMFLOW_LORA_INVALID_PATTERN',
  );
});

test('a name, pattern or block that the model does not have is an error that names its key', async () => {
  for (const [key, value, code, what] of [
    ['targetModules', ['q_proj', 'qproj'], 'LMFLOW_LORA_UNKNOWN_MODULE', '"qproj"'],
    ['excludeModules', ['v_proj'], 'LMFLOW_LORA_UNKNOWN_MODULE', '"v_proj"'],
    ['excludeModules', '.*v_proj', 'LMFLOW_LORA_UNKNOWN_MODULE', '".*v_proj"'],
    ['rankPattern', { q_proj: 4, v_proj: 4 }, 'LMFLOW_LORA_UNKNOWN_MODULE', '"v_proj"'],
    ['alphaPattern', { lm_head: 4 }, 'LMFLOW_LORA_UNKNOWN_MODULE', '"lm_head"'],
    ['layersToTransform', [0, 2], 'LMFLOW_LORA_UNKNOWN_LAYER', 'no block 2'],
    ['targetModules', '([a-z_.0-9]+)+!', 'LMFLOW_EXPRESSION_TOO_SLOW', '([a-z_.0-9]+)+!'],
    ['rankPattern', { '([a-z_.0-9]+)+!': 4 }, 'LMFLOW_EXPRESSION_TOO_SLOW', '([a-z_.0-9]+)+!'],
  ] as const) {
    const error = await failure(() => names({ [key]: value }));
    assert.is(error.code, code, key);
    assert.match(error.message, `lora.${key}`);
    assert.match(error.message, what);
  }
  const { code, message } = await failure(() =>
    names({ targetModules: ['k_proj'], layersToTransform: [1] }),
  );
  assert.is(code, 'LMFLOW_LORA_NO_TARGETS');
  assert.match(message, 'layersToTransform');
});

test('patterns match at the end of the path, the first key wins', () => {
  const patterns = { 'layers.0.self_attn.q_proj': 16, q_proj: 2, 'mlp\\..*': 3 };
  const ranks = byPattern('rankPattern', patterns, [
    'model.layers.0.self_attn.q_proj',
    'model.layers.1.self_attn.q_proj',
    'model.layers.1.mlp.c_fc',
    'model.layers.1.self_attn.xq_proj',
  ]);
  assert.is(ranks.get('model.layers.0.self_attn.q_proj'), 16);
  assert.is(ranks.get('model.layers.1.self_attn.q_proj'), 2);
  assert.is(ranks.get('model.layers.1.mlp.c_fc'), 3);
  assert.is(ranks.get('model.layers.1.self_attn.xq_proj'), undefined);
});

test('a fresh adapter changes nothing, the same seed gives the same numbers, and alpha is 2 r unless set', async () => {
  const first = await loadAdapter(tinyModel(), options(), 1);
  const again = await loadAdapter(tinyModel(), options(), 1);
  const other = await loadAdapter(tinyModel(), options(), 2);
  const [a, b] = first.adapter.parameters;
  assert.equal(a!.data, again.adapter.parameters[0]!.data);
  assert.not.equal(a!.data, other.adapter.parameters[0]!.data);
  assert.ok(b!.data.every((number) => number === 0));
  assert.ok(
    a!.data.every((number) => Math.abs(number) <= 1 / Math.sqrt(6)) && new Set(a!.data).size > 40,
  );
  assert.is([...first.adapter.pairs.values()][0]!.scale, 2);
  assert.is(
    (
      await loadAdapter(tinyModel(), options({ loraAlpha: 4, r: 16, useRslora: true }), 1)
    ).adapter.pairs.get(LINEARS[0]!.name)!.scale,
    1,
  );
});

for (const useDora of [false, true]) {
  test(`adapted linears equal linears with the merged weight, for both layouts and shared inputs${useDora ? ', with DoRA' : ''}`, async () => {
    const model = tinyModel();
    const { adapter } = await loadAdapter(
      model,
      options({ r: 2, initLoraWeights: false, rankPattern: { k_proj: 3 }, useDora }),
      7,
    );
    for (const { magnitude } of adapter.pairs.values()) {
      magnitude?.data.forEach((norm, index) => {
        magnitude.data[index] = norm * (1 + 0.1 * index);
      });
    }
    setAdapter(model, adapter);
    addAdapters(model, 'lora');
    const layers = LINEARS.slice(0, 4);
    const adapted = trace(model, 'inference');
    model.build.project(adapted, adapted.x, layers).forEach((y, index) => {
      adapted.graph.output(String(index), y);
    });
    const merged = tinyModel();
    for (const { weight } of layers) {
      const source = merged.weights.get(weight) as { data: Float32Array };
      const delta = adapter.delta(weight, source.data)!;
      source.data.forEach((number, place) => {
        source.data[place] = number + delta[place]!;
      });
    }
    const plain = trace(merged, 'inference');
    merged.build.project(plain, plain.x, layers).forEach((y, index) => {
      plain.graph.output(String(index), y);
    });
    const x = ndarray(
      [5, 6],
      Array.from({ length: 30 }, (_, index) => Math.cos(index)),
    );
    const [found, expected] = [interpret(adapted.graph, { x }), interpret(plain.graph, { x })];
    for (const key of ['0', '1', '2', '3']) {
      assert.equal(found[key]!.shape, expected[key]!.shape);
      found[key]!.data.forEach((number, index) => {
        assert.ok(
          Math.abs(number - expected[key]!.data[index]!) < 3e-6,
          `${key}: ${number} and ${expected[key]!.data[index]!}`,
        );
      });
    }
    assert.is(adapter.delta('lm_head.weight', new Float32Array(48)), undefined);
  });
}

test('DoRA starts from the base model, and its norm is a constant to the gradient', async () => {
  const model = tinyModel();
  const { adapter } = await loadAdapter(model, options({ r: 2, useDora: true }), 7);
  const pair = adapter.pairs.get(LINEARS[0]!.name)!;
  const weight = await model.read(LINEARS[0]!.weight);
  pair.magnitude!.data.forEach((norm, out) => {
    assert.ok(Math.abs(norm - Math.hypot(...weight.subarray(6 * out, 6 * out + 6))) < 1e-6);
  });
  setAdapter(model, adapter);
  addAdapters(model, 'lora');
  const { graph, ...rest } = trace(model, 'training');
  const [y] = model.build.project({ ...rest, graph }, rest.x, [LINEARS[0]!]);
  const inputs = [pair.magnitude!, pair.b].map(({ name }) =>
    graph.inputs.get(`parameter:${name}`)!,
  );
  grad(sum(y!), inputs).forEach((value, index) => {
    graph.output(String(index), value);
  });
  const given = Object.fromEntries(
    [pair.a, pair.b, pair.magnitude!].map(({ name, shape, data }) => [
      `parameter:${name}`,
      ndarray(shape, data),
    ]),
  );
  const x = ndarray(
    [5, 6],
    Array.from({ length: 30 }, (_, index) => Math.cos(index)),
  );
  const found = interpret(graph, { x, ...given });
  // B is zero: d/dm = sum of x W^T / |W|; d/dB = (m / |W|) scale sum of x A^T, as without DoRA.
  for (let out = 0; out < 4; out++) {
    const products = Array.from({ length: 5 }, (_, row) =>
      Array.from({ length: 6 }, (_, k) => x.data[6 * row + k]! * weight[6 * out + k]!).reduce(
        (a, b) => a + b,
      ),
    );
    assert.ok(
      Math.abs(
        found['0']!.data[out]! - products.reduce((a, b) => a + b) / pair.magnitude!.data[out]!,
      ) < 1e-5,
    );
    for (let k = 0; k < 2; k++) {
      let low = 0;
      for (let row = 0; row < 5; row++) {
        for (let i = 0; i < 6; i++) low += x.data[6 * row + i]! * pair.a.data[6 * k + i]!;
      }
      assert.ok(Math.abs(found['1']!.data[2 * out + k]! - pair.scale * low) < 1e-5);
    }
  }
});

test('with dropout, DoRA scales the frozen product of the dropped input, as PEFT does', async () => {
  const model = tinyModel();
  const { adapter } = await loadAdapter(
    model,
    options({ loraDropout: 0.5, r: 2, useDora: true, initLoraWeights: false }),
    7,
  );
  const { a, b, magnitude, scale } = adapter.pairs.get(LINEARS[0]!.name)!;
  const norms = magnitude!.data.slice();
  magnitude!.data.forEach((norm, out) => {
    magnitude!.data[out] = norm * (1.5 + out);
  });
  setAdapter(model, adapter);
  addAdapters(model, 'lora');
  const training = trace(model, 'training');
  training.graph.output('y', model.build.project(training, training.x, [LINEARS[0]!])[0]!);
  const x = Float32Array.from({ length: 30 }, (_, index) => Math.cos(index));
  const mask = x.map((_, index) => (index % 3 === 0 ? 0 : 1));
  const given = Object.fromEntries(
    [a, b, magnitude!].map(({ name, shape, data }) => [`parameter:${name}`, ndarray(shape, data)]),
  );
  const found = interpret(training.graph, {
    ...given,
    x: ndarray([5, 6], x),
    [`${LINEARS[0]!.name}.lora_dropout`]: ndarray([5, 6], mask),
  })['y']!;
  const weight = await model.read(LINEARS[0]!.weight);
  const product = (row: number, numbers: ArrayLike<number>, at: number, drop: boolean): number =>
    Array.from(
      { length: 6 },
      (_, k) => x[6 * row + k]! * (drop ? 2 * mask[6 * row + k]! : 1) * numbers[at + k]!,
    ).reduce((one, other) => one + other);
  for (let row = 0; row < 5; row++) {
    for (let out = 0; out < 4; out++) {
      const factor = magnitude!.data[out]! / norms[out]!;
      const update =
        scale *
        (b.data[2 * out]! * product(row, a.data, 0, true) +
          b.data[2 * out + 1]! * product(row, a.data, 6, true));
      const expected =
        product(row, weight, 6 * out, false) +
        (factor - 1) * product(row, weight, 6 * out, true) +
        factor * update;
      assert.ok(
        Math.abs(found.data[4 * row + out]! - expected) < 1e-4,
        `${found.data[4 * row + out]!} and ${expected}`,
      );
    }
  }
});

test('LoRA+ is a rate of its own for B and for vectors', async () => {
  const { adapter } = await loadAdapter(
    tinyModel(),
    options({ useDora: true, loraplusLrRatio: 16 }),
    1,
  );
  for (const { name, learningRateScale } of adapter.parameters) {
    assert.is(learningRateScale, name.includes('lora_A') ? undefined : 16, name);
  }
  assert.equal(
    (await loadAdapter(tinyModel(), options(), 1)).adapter.parameters
      .map(({ learningRateScale }) => learningRateScale)
      .filter(Boolean),
    [],
  );
});

test('dropout drops the input of the adapter only, and only in training', async () => {
  const model = tinyModel();
  const { adapter } = await loadAdapter(
    model,
    options({ loraDropout: 0.5, initLoraWeights: false }),
    7,
  );
  setAdapter(model, adapter);
  addAdapters(model, 'lora');
  const training = trace(model, 'training');
  const [y] = model.build.project(training, training.x, [LINEARS[0]!]);
  training.graph.output('y', y!);
  const site = `${LINEARS[0]!.name}.lora_dropout`;
  const inputs = Object.fromEntries(
    adapter.parameters.map(({ name, shape, data }) => [`parameter:${name}`, ndarray(shape, data)]),
  );
  const x = ndarray(
    [5, 6],
    Array.from({ length: 30 }, (_, index) => Math.cos(index)),
  );
  const nothing = interpret(training.graph, { ...inputs, x, [site]: ndarray([5, 6]) })['y']!;
  const base = tinyModel();
  const plain = trace(base, 'training');
  plain.graph.output('y', base.build.project(plain, plain.x, [LINEARS[0]!])[0]!);
  assert.equal(nothing.data, interpret(plain.graph, { x })['y']!.data);
  const evaluation = trace(model, 'evaluation');
  model.build.project(evaluation, evaluation.x, [LINEARS[0]!]);
  assert.not(evaluation.graph.inputs.has(site));
});

test('the saved config has only keys that old PEFT versions accept, and names modules as shortly as is exact', async () => {
  const model = tinyModel();
  const save = async (given: Record<string, unknown>): Promise<Record<string, unknown>> =>
    (await loadAdapter(model, options(given), 1)).adapter.save().config;
  const all = await save({});
  assert.equal(Object.keys(all), [
    'alpha_pattern',
    'auto_mapping',
    'base_model_name_or_path',
    'bias',
    'fan_in_fan_out',
    'inference_mode',
    'init_lora_weights',
    'layers_pattern',
    'layers_to_transform',
    'lora_alpha',
    'lora_dropout',
    'modules_to_save',
    'peft_type',
    'r',
    'rank_pattern',
    'revision',
    'target_modules',
    'task_type',
  ]);
  assert.equal(all['target_modules'], ['c_fc', 'k_proj', 'q_proj']);
  assert.equal(
    (await save({ targetModules: ['q_proj'], layersToTransform: [1] }))['target_modules'],
    ['model.layers.1.self_attn.q_proj'],
  );
  assert.is((await save({ useRslora: true }))['use_rslora'], true);
  assert.is((await save({ useDora: true }))['use_dora'], true);
});

test('modulesToSave are trained whole and saved beside the adapter', async () => {
  const { adapter } = await loadAdapter(tinyModel(), options({ modulesToSave: ['lm_head'] }), 1);
  assert.is(adapter.parameters.at(-1)!.name, 'lm_head.weight');
  assert.ok(adapter.save().tensors.has('base_model.model.lm_head.weight'));
  const { code, message } = await failure(() =>
    loadAdapter(tinyModel(), options({ modulesToSave: ['heads'] }), 1),
  );
  assert.is(code, 'LMFLOW_LORA_UNKNOWN_MODULE');
  assert.match(message, '"heads"');
});

test('modulesToSave matches the end of a path and all below it, as in PEFT, and wins over targetModules', async () => {
  const { adapter } = await loadAdapter(
    tinyModel(),
    options({ targetModules: ['q_proj', 'c_fc'], modulesToSave: ['1.mlp', 'k_proj'] }),
    1,
  );
  assert.equal(
    [...adapter.pairs.keys()],
    ['model.layers.0.self_attn.q_proj', 'model.layers.1.self_attn.q_proj'],
  );
  assert.equal(
    adapter.parameters.map(({ name }) => name).filter((name) => !name.includes('lora_')),
    ['model.layers.1.mlp.c_fc.weight', 'model.layers.0.self_attn.k_proj.weight'],
  );
});

test('ensureWeightTying: a tied head follows the embedding, both are written, and read as one', async () => {
  const model = tiedModel();
  const tying = { modulesToSave: ['embed_tokens', 'lm_head'], ensureWeightTying: true };
  const { adapter } = await loadAdapter(model, options(tying), 1);
  assert.ok(model.architecture.tiedEmbeddings);
  const embedding = adapter.parameters.find(({ name }) => name === 'model.embed_tokens.weight')!;
  assert.equal(
    adapter.parameters.filter(({ name }) => !name.includes('lora_')),
    [embedding],
  );
  embedding.data[3] = 7;
  for (const modulesToSave of [['embed_tokens'], ['lm_head']]) {
    const only = await loadAdapter(tiedModel(), options({ ...tying, modulesToSave }), 1);
    assert.equal(
      only.adapter.parameters.filter(({ name }) => !name.includes('lora_')).map(({ name }) => name),
      ['model.embed_tokens.weight'],
    );
    const saved = [...new Set([...modulesToSave, 'lm_head'])];
    assert.equal(only.adapter.save().config['modules_to_save'], saved);
    assert.is(only.adapter.save().config['ensure_weight_tying'], true);
  }
  const { config, tensors } = adapter.save();
  assert.equal(config['modules_to_save'], ['embed_tokens', 'lm_head']);
  const write = async (
    changed: Record<string, Float32Array | undefined>,
    modules = ['embed_tokens', 'lm_head'],
  ): Promise<string> => {
    const folder = mkdtempSync(join(tmpdir(), 'lmflow-tied-'));
    writeFileSync(
      join(folder, 'adapter_config.json'),
      JSON.stringify({ ...config, modules_to_save: modules }),
    );
    await writeSafetensors(
      join(folder, 'adapter_model.safetensors'),
      [...tensors].flatMap(([name, { shape, data }]) => {
        const other = name in changed ? changed[name] : data;
        return other ? [[name, { shape, data: other }] as const] : [];
      }),
    );
    return folder;
  };
  // The second is how PEFT 0.21 names them after training with ensure_weight_tying.
  for (const modules of [
    ['embed_tokens', 'lm_head'],
    ['embed_tokens', 'model.embed_tokens'],
  ]) {
    const { adapter: again } = await loadAdapter(
      tiedModel(),
      options({ adapter: await write({}, modules) }),
      2,
    );
    assert.equal(
      again.parameters.find(({ name }) => name === 'model.embed_tokens.weight')!.data,
      embedding.data,
    );
  }
  const head = 'base_model.model.lm_head.weight';
  for (const [data, wanted] of [
    [undefined, /has the tied embedding without the head/],
    [new Float32Array(48), /trained apart/],
  ] as const) {
    const folder = await write({ [head]: data });
    const { code, message } = await failure(() =>
      loadAdapter(tiedModel(), options({ adapter: folder }), 2),
    );
    assert.is(code, 'LMFLOW_ADAPTER_MISMATCH');
    assert.match(message, wanted);
  }
});

test('without ensureWeightTying a head and its embedding are trained apart', async () => {
  const [embedding, head] = ['model.embed_tokens.weight', 'lm_head.weight'];
  for (const [modulesToSave, wanted] of [
    [['embed_tokens'], [embedding]],
    [['lm_head'], [head]],
    [
      ['embed_tokens', 'lm_head'],
      [embedding, head],
    ],
  ]) {
    const model = tiedModel();
    const { adapter } = await loadAdapter(model, options({ modulesToSave }), 1);
    const whole = adapter.parameters.filter(({ name }) => !name.includes('lora_'));
    assert.equal(
      whole.map(({ name }) => name),
      wanted,
    );
    assert.not(model.architecture.tiedEmbeddings);
    assert.is(model.config['tie_word_embeddings'], false);
    assert.equal(await model.read(head), await model.read(embedding));
    const { config } = adapter.save();
    assert.equal(config['modules_to_save'], modulesToSave);
    assert.is(config['ensure_weight_tying'], undefined);
  }
});

test('trainableTokenIndices: rows of the embedding begin as they are; tokens that are none are refused', async () => {
  const model = tiedModel();
  const { adapter } = await loadAdapter(model, options({ trainableTokenIndices: [5, 2] }), 1);
  const rows = adapter.parameters.at(-1)!;
  assert.is(rows.name, 'model.embed_tokens.token_adapter.trainable_tokens_delta');
  const table = await model.read('model.embed_tokens.weight');
  assert.equal([...rows.data], [...table.subarray(30, 36), ...table.subarray(12, 18)]);
  assert.ok(model.architecture.tiedEmbeddings);
  assert.equal(adapter.save().config['trainable_token_indices'], [5, 2]);
  rows.data[0] = 9;
  const changed = adapter.delta('model.embed_tokens.weight', table)!;
  assert.ok(Math.abs(changed[30]! + table[30]! - 9) < 1e-6);
  assert.is(changed.filter((number) => number !== 0).length, 1);
  for (const [trainableTokenIndices, wanted, more = {}] of [
    [[8], /no token 8, its last is 7/],
    [[2, 2], /a token twice/],
    [{ q_proj: [2] }, /"q_proj" is neither embedding nor head/],
    [[2], /in another way too/, { modulesToSave: ['embed_tokens'] }],
    [[2], /in another way too/, { modulesToSave: ['embed_tokens'], ensureWeightTying: true }],
    [{ embed_tokens: [2], lm_head: [3] }, /other tokens for the head/, { ensureWeightTying: true }],
  ] as const) {
    const given = options({ trainableTokenIndices, ...more });
    const { code, message } = await failure(() => loadAdapter(tiedModel(), given, 1));
    assert.is(code, 'LMFLOW_LORA_TOKENS');
    assert.match(message, wanted);
  }
});

test('matrices of the embedding begin as in PEFT, are no linear, and take the head apart', async () => {
  const module = 'model.embed_tokens';
  const start = async (more: Record<string, unknown> = {}): Promise<LoraAdapter> =>
    (await loadAdapter(tiedModel(), options({ targetModules: ['embed_tokens'], r: 2, ...more }), 1))
      .adapter;
  const adapter = await start({ loraplusLrRatio: 16 });
  const [a, b] = adapter.parameters;
  assert.equal(
    [a, b].map((one) => [one!.name, one!.shape, one!.learningRateScale, one!.learningRate]),
    [
      [`${module}.lora_embedding_A`, [2, 8], undefined, 1e-6],
      [`${module}.lora_embedding_B`, [6, 2], undefined, 1e-6],
    ],
  );
  for (const [more, rate] of [
    [{}, undefined],
    [{ loraplusLrEmbedding: 1e-3 }, 1e-3],
    [{ loraplusLrRatio: 16, loraplusLrEmbedding: 1e-3 }, 1e-3],
  ] as const) {
    for (const { learningRate } of (await start(more)).parameters) assert.is(learningRate, rate);
  }
  assert.ok(a!.data.every((number) => number === 0) && new Set(b!.data).size === 12);
  assert.ok((await start({ initLoraWeights: false })).parameters[0]!.data.every(Boolean));
  assert.is(adapter.method, 'LoRA (r 2, alpha 4, embedding)');
  const both = await start({ targetModules: ['embed_tokens', 'q_proj'] });
  assert.is(both.method, 'LoRA (r 2, alpha 4, 2 linears, embedding)');
  assert.is(both.save().config['fan_in_fan_out'], false);
  assert.equal(both.save().config['target_modules'], ['embed_tokens', 'q_proj']);
  const model = tiedModel();
  await loadAdapter(model, options({ targetModules: ['embed_tokens'] }), 1);
  assert.not(model.architecture.tiedEmbeddings);
  for (const [more, code] of [
    [{ loraBias: true }, 'LMFLOW_LORA_EMBEDDING'],
    [{ initLoraWeights: 'pissa' }, 'LMFLOW_LORA_INITIALISATION'],
    [{ initLoraWeights: 'loftq' }, 'LMFLOW_LORA_INITIALISATION'],
    [{ ensureWeightTying: true }, 'LMFLOW_LORA_TYING'],
    [{ trainableTokenIndices: [2] }, 'LMFLOW_LORA_TOKENS'],
  ] as const) {
    assert.is((await failure(() => start(more))).code, code);
  }
});

test('what an adapter would change of both is refused for one of a tied head and embedding', async () => {
  const pissa = { targetModules: ['lm_head'], initLoraWeights: 'pissa', r: 2 };
  const { message } = await failure(() => loadAdapter(tiedModel(), options(pissa), 1));
  assert.match(message, 'does not go with a head that shares the weight of the embedding');
  const tying = { targetModules: ['lm_head'], ensureWeightTying: true };
  const { code } = await failure(() => loadAdapter(tiedModel(), options(tying), 1));
  assert.is(code, 'LMFLOW_LORA_TYING');
});

test.run();
