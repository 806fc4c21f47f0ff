// What changes a model: wraps in order, another shape, views, and linears in another form.
import { existsSync, mkdtempSync, readdirSync, readFileSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { LMFlowError, Logger } from '@lmflow/sdk';
import {
  chooseLinears,
  declareMethod,
  matchExpressions,
  matchingModules,
  refuseTrained,
  replaceLinears,
  reshapeModel,
  setAdapter,
  view,
  wrap,
  type LinearForm,
  type LinearLayer,
  type LinearReplacement,
  type Model,
  type Trace,
} from '@lmflow/sdk/model';
import { Graph, interpret, matMul, mul, ndarray, type ModelWeight } from '@lmflow/sdk/graph';

const linear = (name: string, layer?: number): LinearLayer => ({
  name,
  weight: `${name}.weight`,
  inFeatures: 2,
  outFeatures: 3,
  layout: 'out-in',
  ...(layer === undefined ? {} : { layer }),
});
const LINEARS = [linear('layers.0.q'), linear('layers.0.k'), linear('layers.1.q')].map((layer) => ({
  ...layer,
  layer: Number(layer.name.split('.')[1]),
}));
const NUMBERS = [1, 2, 3, 4, 5, 6];

/** A model of linears in memory, or in one file. */
function tiny(file?: string): Model {
  const linears = [...LINEARS, linear('head')];
  const bytes = NUMBERS.length * 4;
  if (file !== undefined && !existsSync(file)) {
    writeFileSync(file, Float32Array.from(linears.flatMap(() => NUMBERS)));
  }
  const weights = new Map(
    linears.map(({ weight }, index): [string, ModelWeight] => {
      const type = { dtype: 'float32', shape: [3, 2] } as const;
      return [
        weight,
        file === undefined
          ? { ...type, kind: 'memory', data: Float32Array.from(NUMBERS) }
          : { ...type, kind: 'file', path: file, offset: index * bytes, byteLength: bytes },
      ];
    }),
  );
  const build: Pick<Model['build'], 'matmul' | 'weight'> = {
    weight: ({ graph }, name) => graph.weight(name, weights.get(name) as never),
    matmul: (trace, x, { weight }) =>
      matMul(x, trace.model.build.weight(trace, weight), { transposeB: true }),
  };
  return {
    source: 'tiny',
    config: {},
    architecture: { maxPositions: 8 },
    weights,
    linears,
    build,
    parameters: new Map(),
    wraps: [],
    claims: [],
    read: async () => Float32Array.from(NUMBERS),
  } as unknown as Model;
}

/** [1, 0] times a linear of a model: the first column of its weight. */
function product(model: Model, layer: LinearLayer): number[] {
  const graph = new Graph();
  const trace = { graph, model } as Trace;
  graph.output('y', model.build.matmul(trace, graph.input('x', 'float32', [1, 2]), layer));
  const weights = [...graph.weights].map(([name, { source, shape }]) => {
    const { weight } = source as { weight: ModelWeight };
    return [name, ndarray(shape, (weight as { data: Float32Array }).data)] as const;
  });
  const inputs = { x: ndarray([1, 2], [1, 0]), ...Object.fromEntries(weights) };
  return [...interpret(graph, inputs)['y']!.data];
}

function quiet(): Logger & { readonly said: string[] } {
  const said: string[] = [];
  return { said, progress: () => undefined, info: (text: string) => said.push(text) } as never;
}

/** Kept at ten times the number. */
const TENFOLD: Pick<LinearForm, 'name' | 'cache' | 'key' | 'parts' | 'make'> = {
  name: 'tenfold',
  cache: 'tenfold',
  key: () => ({ format: 1 }),
  parts: (group) => group.map(() => ({ dtype: 'float32', shape: [3, 2] })),
  make: async (group) => group.map(() => Float32Array.from(NUMBERS, (number) => 10 * number)),
};

const replacement = (model: Model, given: Partial<LinearReplacement> = {}): LinearReplacement => ({
  by: 'plugin-tenfold',
  section: 'tenfold',
  how: 'ten times as large',
  linears: chooseLinears(model, { section: 'tenfold', exclude: ['1.q'] }),
  form: TENFOLD,
  matmul: ({ graph }, x, { layer, group }) => {
    const part = group.parts[group.linears.indexOf(layer)]!;
    return matMul(x, graph.weight(`${layer.name}:tenfold`, part), { transposeB: true });
  },
  log: quiet(),
  ...given,
});

const codeOf = (work: () => unknown): Promise<string> =>
  Promise.resolve()
    .then(work)
    .then(
      () => 'none',
      (error: unknown) => (error as LMFlowError).code,
    );

test('wraps are applied in order and recorded; what holds the model sees them', () => {
  const model = tiny();
  const seen = view(model, {});
  wrap(model, 'matmul', 'a', (inner) => (trace, x, layer) => mul(inner(trace, x, layer), 2));
  wrap(model, 'matmul', 'b', (inner) => (trace, x, layer) => mul(inner(trace, x, layer), 3));
  const wraps = [
    { building: 'matmul', by: 'a' },
    { building: 'matmul', by: 'b' },
  ];
  assert.equal(model.wraps, wraps);
  assert.equal(seen.wraps, wraps);
  assert.equal(product(model, LINEARS[0]!), [6, 18, 30]);
  assert.equal(product(seen, LINEARS[0]!), [6, 18, 30]);
});

test('a wrap of a view stays in the view', () => {
  const model = tiny();
  const own = view(model, {});
  wrap(own, 'matmul', 'a', (inner) => (trace, x, layer) => mul(inner(trace, x, layer), 2));
  assert.equal(model.wraps, []);
  assert.equal(product(model, LINEARS[0]!), [1, 3, 5]);
  assert.equal(product(own, LINEARS[0]!), [2, 6, 10]);
});

test('reshapeModel changes the model itself, also for its views', () => {
  const model = tiny();
  const seen = view(model, {});
  reshapeModel(model, { architecture: { ...model.architecture, maxPositions: 16 } });
  reshapeModel(model, { config: { max_position_embeddings: 16 } });
  assert.is(seen.architecture.maxPositions, 16);
  assert.equal(model.config, { max_position_embeddings: 16 });
});

test('a view has its changes and shares everything else', () => {
  const model = tiny();
  setAdapter(model, { name: 'a', parameters: [] } as never);
  const seen = view(model, { adapter: undefined, parameters: new Map() });
  assert.is(seen.adapter, undefined);
  assert.is(seen.base, model);
  assert.is.not(seen.parameters, model.parameters);
  assert.is(seen.weights, model.weights);
});

test('linears of blocks are chosen by pattern; messages name the option', async () => {
  const model = tiny();
  const choose = (exclude: string[], also?: LinearLayer[]): string[] =>
    chooseLinears(model, { section: 'tenfold', exclude, ...(also ? { also } : {}) }).map(
      ({ name }) => name,
    );
  assert.equal(choose(['k']), ['layers.0.q', 'layers.1.q']);
  assert.equal(choose(['.*'], [linear('head')]), ['head']);
  assert.is(await codeOf(() => choose(['.*'])), 'LMFLOW_LINEARS_NOTHING');
  try {
    choose(['head']);
    assert.unreachable();
  } catch (error) {
    const { code, message, hint } = error as LMFlowError;
    assert.is(code, 'LMFLOW_LINEARS_UNKNOWN');
    assert.is(message, 'tenfold.exclude: "head" matches no linear of the blocks');
    assert.match(hint!, 'q, k');
  }
});

test('expressions of others: lookaheads are understood, and one that does not end is an error', () => {
  const names = ['model.layers.0.self_attn.q_proj', 'model.vision.layers.0.self_attn.q_proj'];
  const [looking, group] = matchExpressions(['^(?!.*vision).*q_proj$', '\\.(\\d+)\\.'], names, {
    key: 'x',
  });
  assert.equal(
    looking!.map((match) => match !== undefined),
    [true, false],
  );
  assert.equal(
    group!.map((match) => match?.[1]),
    ['0', '0'],
  );
  assert.throws(() => matchExpressions(['('], names, { key: 'x' }), /Unterminated group/);
  const start = Date.now();
  for (const slow of ['^(([a-z_.0-9]+)+!)$', '^(?:(\\w|\\.|\\w\\.)*)*!', '(?=(.*)*\\1!)x']) {
    try {
      matchExpressions(['a', slow], names, { file: 'f.json', key: 'target_modules' });
      assert.unreachable();
    } catch (error) {
      const { code, message, kind } = error as LMFlowError;
      assert.is(code, 'LMFLOW_EXPRESSION_TOO_SLOW');
      assert.is(kind, 'input');
      assert.ok(message.startsWith(`f.json: target_modules: the regular expression ${slow} was`));
    }
  }
  assert.ok(Date.now() - start < 5000);
  const option = (): unknown => matchingModules(names, '([a-z_.0-9]+)+!', { key: 'x' });
  assert.throws(option, (error: LMFlowError) => error.kind === 'usage');
});

test('replaced linears are multiplied in their form, where it applies', async () => {
  const model = tiny();
  const weight: LinearReplacement['weight'] = ({ graph }, { layer, group }) =>
    graph.weight(`${layer.name}:tenfold`, group.parts[0]!);
  const { claim, linears } = await replaceLinears(model, replacement(model, { weight }));
  assert.equal([...linears.keys()], ['layers.0.q', 'layers.0.k']);
  assert.equal(model.claims, [claim]);
  assert.equal(claim, {
    plugin: 'plugin-tenfold',
    how: 'ten times as large',
    linears: ['layers.0.q', 'layers.0.k'],
    exclude: 'tenfold.exclude',
    active: true,
  });
  assert.equal(
    model.wraps.map(({ building }) => building),
    ['matmul', 'weight'],
  );
  const [first, , last] = LINEARS as [LinearLayer, LinearLayer, LinearLayer];
  assert.equal(product(model, first), [10, 30, 50]);
  assert.equal(product(model, last), [1, 3, 5], 'it is excluded');
  assert.equal(
    product(view(model, { weights: new Map(model.weights) }), first),
    [1, 3, 5],
    'a view with other weights computes with them',
  );
  assert.equal(
    product(view(model, { parameters: new Map([[first.weight, {} as never]]) }), first),
    [1, 3, 5],
    'a parameter stands in its place',
  );
  claim.active = false;
  assert.equal(product(model, first), [1, 3, 5]);
  claim.active = true;
  const graph = new Graph();
  model.build.weight({ graph, model } as Trace, first.weight);
  assert.equal([...graph.weights.keys()], ['layers.0.q:tenfold']);
});

test('two plugins do not take the same linear, and nobody trains one that is replaced', async () => {
  const model = tiny();
  await replaceLinears(model, replacement(model));
  const other = replacement(model, { by: 'plugin-other', section: 'other' });
  assert.is(await codeOf(() => replaceLinears(model, other)), 'LMFLOW_LINEARS_CLAIMED');
  const rest = { linears: LINEARS.slice(2), form: { ...TENFOLD, name: 'other' } };
  await replaceLinears(model, { ...other, ...rest });
  assert.is(model.claims.length, 2);
  refuseTrained(model, 'plugin-tenfold');
  model.parameters.set(LINEARS[2]!.weight, {} as never);
  refuseTrained(model, 'plugin-tenfold');
  assert.is(
    await codeOf(() => {
      refuseTrained(model, 'plugin-other');
    }),
    'LMFLOW_LINEARS_TRAINED',
  );
});

test('one plugin trains a model; another one may narrow down what it trains', async () => {
  const model = tiny();
  const full = { plugin: 'finetune', name: 'full finetuning' };
  declareMethod(model, full);
  declareMethod(model, { ...full, name: 'full finetuning, again' });
  const narrower = { plugin: 'lisa', name: 'LISA', refines: 'finetune' };
  declareMethod(model, narrower);
  assert.is(model.method, narrower);
  const other = { plugin: 'lora', name: 'LoRA' };
  assert.is(await codeOf(() => declareMethod(model, other)), 'LMFLOW_METHOD_TAKEN');
  assert.throws(() => declareMethod(model, other), /lisa \(LISA\) and lora \(LoRA\)/);
  assert.is(model.method, narrower);
});

test('the form is kept in files, one for each group, and found again', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-form-'));
  const cacheDir = join(folder, 'cache');
  const files = (): string[] =>
    readdirSync(cacheDir, { recursive: true, encoding: 'utf8' }).filter((name) =>
      name.endsWith('.bin'),
    );
  const model = tiny(join(folder, 'weights'));
  const log = quiet();
  const { linears } = await replaceLinears(model, replacement(model, { cacheDir, log }));
  assert.is(files().length, 2);
  assert.equal(log.said, [`quantized 2 linears to tenfold, once (kept in ${cacheDir})`]);
  const [part] = linears.get('layers.0.k')!.group.parts;
  assert.is(part!.kind, 'file');
  const again = tiny(join(folder, 'weights'));
  await replaceLinears(again, replacement(again, { cacheDir, log }));
  assert.is(log.said.length, 1);

  const together: LinearForm = { ...TENFOLD, groups: (all) => [all], key: () => ({ format: 2 }) };
  const joined = tiny(join(folder, 'weights'));
  const stored = await replaceLinears(joined, replacement(joined, { cacheDir, form: together }));
  const { group } = stored.linears.get('layers.0.k')!;
  assert.is(stored.linears.get('layers.0.q')!.group, group);
  assert.equal(
    group.parts.map((one) => one.kind === 'file' && [one.offset, one.byteLength]),
    [
      [0, 24],
      [64, 24],
    ],
  );
  const path = group.parts[0]!.kind === 'file' ? group.parts[0]!.path : '';
  const bytes = readFileSync(path);
  assert.is(bytes.length, 128, 'the last part is filled up too');
  assert.equal([bytes.readFloatLE(64), bytes.readFloatLE(68)], [10, 20]);
});

test('a folder that cannot be written is an error that names the option', async () => {
  const folder = mkdtempSync(join(tmpdir(), 'lmflow-form-'));
  const model = tiny(join(folder, 'weights'));
  const cacheDir = join(folder, 'weights', 'below a file');
  try {
    await replaceLinears(model, replacement(model, { cacheDir }));
    assert.unreachable();
  } catch (error) {
    const { code, hint } = error as LMFlowError;
    assert.is(code, 'LMFLOW_CACHE_UNWRITABLE');
    assert.match(hint!, 'tenfold.cacheDir');
  }
});

test.run();
