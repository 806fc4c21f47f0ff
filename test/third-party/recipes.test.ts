// Every example of docs/writing-a-plugin.md, as it stands there: it has the types of a plain
// project, a kernel loads it by its name, and it does what the page says.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readdirSync, symlinkSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { pathToFileURL } from 'node:url';
import ts from 'typescript';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  GENERATOR,
  MODELS,
  OPTIMIZERS,
  type Engine,
  type FitResult,
  type Logger,
  type Token,
  type UserConfig,
} from '@lmflow/sdk';
import { readSafetensors } from '@lmflow/sdk/formats';
import { testEngine, writeTinyModel } from '@lmflow/sdk/testing';
import { createKernel, type Kernel } from 'lmflow';
import { captureLog, type CapturedLog } from 'lmflow/testing';
import { packages, sources, tsconfig, writePackages } from './recipes.ts';

const repository = resolve(import.meta.dirname, '../..');
const folder = project();
const model = await writeTinyModel();

/** A folder in which the page's packages are installed beside ours, with data. */
function project(): string {
  const made = mkdtempSync(join(tmpdir(), 'lmflow-recipes-'));
  const modules = join(made, 'node_modules');
  mkdirSync(modules);
  for (const name of readdirSync(join(repository, 'node_modules'))) {
    symlinkSync(join(repository, 'node_modules', name), join(modules, name));
  }
  writePackages(modules, './src/index.ts');
  const write = (file: string, records: readonly object[]): void => {
    writeFileSync(join(made, file), JSON.stringify(records));
  };
  const words = Array.from({ length: 8 }, (_, index) => `t${2 + index}`);
  write('pairs.json', words.map((word) => ({ instruction: `${word} t3`, output: `${word} t4 t5` }))); // prettier-ignore
  write('faq.json', words.map((word) => ({ question: `${word} t3`, answers: [word, 't4 t5'] }))); // prettier-ignore
  return made;
}

interface Made {
  readonly kernel: Kernel;
  readonly log: CapturedLog;
}

async function withKernel<T>(config: UserConfig, work: (made: Made) => Promise<T>): Promise<T> {
  const log = captureLog();
  const kernel = await createKernel(config, { cwd: folder, log });
  try {
    return await work({ kernel, log });
  } finally {
    await kernel.close();
  }
}

interface Training extends Made {
  readonly result: FitResult;
}

/** One step on the pairs, unless the configuration says otherwise. */
const finetune = (
  config: UserConfig & Readonly<Record<string, unknown>>,
  look: (training: Training) => Promise<void> | void = () => undefined,
): Promise<FitResult> =>
  withKernel(
    {
      presets: ['finetune'],
      model,
      dataset: join(folder, 'pairs.json'),
      outputDir: mkdtempSync(join(tmpdir(), 'lmflow-recipe-')),
      lrSchedulerType: 'constant',
      warmupSteps: 0,
      maxSteps: 1,
      learningRate: 1e-3,
      ...config,
    },
    async (made) => {
      const { result } = await made.kernel.run('finetune');
      await look({ ...made, result });
      return result;
    },
  );

const moduleOf = async <T>(path: string): Promise<T> =>
  (await import(pathToFileURL(join(folder, 'node_modules', path)).href)) as T;

test('each file has at most 30 lines of code', () => {
  for (const [path, text] of sources) {
    const lines = text.split('\n').filter((line) => !/^\s*(\/\/.*|\/\*\*.*)?$/.test(line));
    assert.ok(lines.length <= 30, `${path} has ${lines.length}`);
  }
});

test('they have types in a plain project, whatever its checks', () => {
  const { options, errors } = ts.convertCompilerOptionsFromJson(
    {
      ...tsconfig.compilerOptions,
      rootDir: undefined,
      noEmit: true,
      noUncheckedIndexedAccess: true,
      exactOptionalPropertyTypes: true,
      lib: ['es2023'],
      typeRoots: [join(repository, 'node_modules/@types')],
      customConditions: ['lmflow-source'], // the sources: their declarations are not built yet
      allowImportingTsExtensions: true,
      resolveJsonModule: true,
      skipLibCheck: true,
    },
    folder,
  );
  const files = [...sources.keys()].map((path) => join(folder, 'node_modules', path));
  const program = ts.createProgram(files, options);
  const faults = files.flatMap((file) => {
    const source = program.getSourceFile(file)!;
    return [
      ...program.getSyntacticDiagnostics(source),
      ...program.getSemanticDiagnostics(source),
    ].map(({ messageText }) => [file, ts.flattenDiagnosticMessageText(messageText, '\n')]);
  });
  assert.equal([errors, faults], [[], []]);
});

for (const path of [...sources.keys()].filter((file) => file.endsWith('.test.ts'))) {
  test(`${path} passes`, () => {
    const [tsx, file] = [join(repository, 'node_modules/tsx/dist/esm/index.mjs'), path];
    const argv = ['--conditions=lmflow-source', '--import', pathToFileURL(tsx).href, '--test'];
    execFileSync(process.execPath, [...argv, join(folder, 'node_modules', file)]);
  });
}

test('a configuration lists the file while it is written, and flags set its options', async () => {
  const config = { plugins: ['./node_modules/lmflow-plugin-plateau/src/index.ts'] };
  const flags = ['--plateau-patience', '50'];
  const kernel = await createKernel(config, { cwd: folder, flags, log: captureLog() });
  const { settings } = kernel.inspect();
  await kernel.close();
  assert.equal(
    settings.find(({ key }) => key === 'plateau.patience'),
    { key: 'plateau.patience', value: 50, origin: '--plateau-patience' },
  );
});

test('all plugins of the page go together, each found by its short name', async () => {
  const names = packages.filter((name) => name.startsWith('lmflow-plugin-'));
  const plugins = names.map((name) => name.replace('lmflow-plugin-', ''));
  await withKernel({ presets: ['reward-model'], plugins }, async ({ kernel }) => {
    const loaded = kernel.inspect().plugins.join('\n');
    for (const name of names) assert.ok(loaded.includes(name), name);
  });
});

test('optimizer: each number moves by the learning rate, against the sign of its mean gradient', async () => {
  const config = { plugins: ['signum'], optim: 'signum', optimArgs: { momentum: 0.5 } };
  const { outputDir } = await finetune({ ...config, weightDecay: 0 });
  const [before, after] = [
    await readSafetensors(join(model, 'model.safetensors')),
    await readSafetensors(join(outputDir, 'model.safetensors')),
  ];
  const rate = 1e-3;
  let moved = 0;
  for (const [name, { data }] of after) {
    const old = before.get(name)!.data;
    data.forEach((number, index) => {
      const change = Math.abs(number - old[index]!);
      if (change > 0) {
        moved++;
        assert.ok(Math.abs(change - rate) < 1e-6, `${name} moves by ${change}`);
      }
    });
  }
  assert.ok(moved > 1000, `${moved} numbers move`);
  const { trainLoss, log } = await finetune({ ...config, maxSteps: 8, loggingSteps: 1 });
  assert.ok(log.at(-2)!['loss']! < log[0]!['loss']!, `${trainLoss}: ${JSON.stringify(log)}`);
});

test('method: gates alone are trained, and change what is generated', async () => {
  const { outputDir } = await finetune({
    plugins: ['gate'],
    maxSteps: 4,
    learningRate: 0.5,
  });
  assert.not(readdirSync(outputDir).includes('model.safetensors'));
  const gates = await readSafetensors(join(outputDir, 'gates.safetensors'));
  assert.equal([...gates.keys()], ['gates.0', 'gates.1']);
  const [plain, gated] = [await answer({ plugins: ['gate'] }), await answer({ plugins: ['gate'], gate: { from: outputDir } })]; // prettier-ignore
  assert.is.not(plain, gated);
});

test('dataset format: a dry run names it and trains the answers', async () => {
  const config = { plugins: ['faq'], dataset: join(folder, 'faq.json'), numTrainEpochs: 1 };
  await withKernel(
    { presets: ['finetune'], model, outputDir: join(folder, 'dry'), ...config },
    async ({ kernel, log }) => {
      await kernel.run('finetune', { options: { dryRun: true } });
      const said = log.said.map(({ text }) => text).join('\n');
      assert.match(said, /faq/);
      assert.match(said, /t2 t3/);
      assert.not(readdirSync(folder).includes('dry'));
    },
  );
});

test('command: it counts the tokens of the longest sample', async () => {
  const config = { plugins: ['longest'], dataset: join(folder, 'pairs.json') };
  await withKernel({ presets: ['finetune'], model, ...config }, async ({ kernel, log }) => {
    const { result } = await kernel.run('longest');
    assert.ok((result as number) > 5);
    assert.is(log.texts('event').at(-1), `The longest sample has ${result as number} tokens.`);
  });
  await withKernel({ presets: ['finetune'], ...config }, async ({ kernel }) => {
    const error = await kernel.run('longest').catch((reason: unknown) => reason);
    assert.is((error as { code: string }).code, 'LMFLOW_LONGEST_MODEL');
  });
});

test('model family: a model of it is trained from its config.json, read again, and generates', async () => {
  const config = {
    model_type: 'starcoder2',
    architectures: ['Starcoder2ForCausalLM'],
    norm_epsilon: 1e-5,
    hidden_act: 'gelu_pytorch_tanh',
    tie_word_embeddings: true,
  };
  const source = await writeTinyModel({ config });
  const plugins = ['starcoder2'];
  const { outputDir } = await finetune({ plugins, model: source, fromScratch: true });
  const names = [...(await readSafetensors(join(outputDir, 'model.safetensors'))).keys()];
  assert.ok(names.includes('model.layers.1.mlp.c_fc.bias'), names.join());
  assert.ok((await answer({ plugins, model: outputDir })).length > 0);
});

test('engine: a step on the interpreter has the loss of a step on ONNX Runtime', async () => {
  const onnx = await finetune({});
  await finetune({ plugins: ['exact'], engine: 'exact' }, ({ result, log }) => {
    assert.ok(Math.abs(result.trainLoss - onnx.trainLoss) < 1e-5);
    assert.ok(log.texts('debug').some((text) => / \d+ ops$/.test(text)));
  });
  const { exactEngine } = await moduleOf<{ exactEngine: (log: Logger) => Engine }>(
    'lmflow-plugin-exact/src/index.ts',
  );
  for (const { run } of testEngine(exactEngine(captureLog()))) await run();
});

test('logits processor: no banned token follows, by option and by request', async () => {
  const plugins = ['banned'];
  const plain = await answer({ plugins });
  const [first] = plain.split(' ') as [string];
  const option = await answer({ plugins, banned: { tokens: [first] } });
  const request = await answer({ plugins }, { banned: [first] });
  assert.not(option.split(' ').includes(first), option);
  assert.is(request, option);
});

test('reward: answers are scored by its row, and its tap has the last word', async () => {
  const file = join(folder, 'poems.json');
  const output = ['S\nU\nN', 'S\nO\nN', ' '];
  writeFileSync(file, JSON.stringify([{ input: 'A poem, please.', output }]));
  const spells = (word: string) => ({ type: 'acrostic', word, weight: 3 });
  const score = (word: string): Promise<unknown> =>
    withKernel(
      { presets: ['reward-model'], plugins: ['acrostic'], rewards: [spells(word)] },
      async ({ kernel }) => {
        const { result } = await kernel.run('reward-score', { positionals: [file] });
        return result.instances[0]!.output.map(({ score: total }) => total);
      },
    );
  assert.equal(await score('SUN'), [3, 2, -1]);
  await assertRejects(() => score(''), /"acrostic": word/);
});

test('preset: gates are trained with signum and stop at a plateau', async () => {
  const config = { presets: ['careful'], maxSteps: 50, learningRate: 1e-9 };
  await finetune({ ...config, plateau: { patience: 2 } }, ({ result, kernel }) => {
    assert.ok(result.stoppedEarly && result.steps < 50);
    assert.ok(readdirSync(result.outputDir).includes('gates.safetensors'));
    assert.ok(kernel.rows(OPTIMIZERS).has('signum'));
  });
});

test('service: others find it by its token', async () => {
  const { HISTORY } = await moduleOf<{ HISTORY: Token<number[]> }>(
    'lmflow-plugin-history/src/index.ts',
  );
  await finetune({ plugins: ['history'], maxSteps: 2 }, ({ kernel }) => {
    assert.is(kernel.resolve(HISTORY).length, 2);
  });
});

async function assertRejects(work: () => Promise<unknown>, pattern: RegExp): Promise<void> {
  const message = await work().then(String, (cause: Error) => cause.message);
  assert.match(message, pattern);
}

/** What the tiny model answers, greedily. */
async function answer(
  config: UserConfig & Readonly<Record<string, unknown>>,
  settings?: Readonly<Record<string, unknown>>,
): Promise<string> {
  return withKernel({ presets: ['inference'], model, ...config }, async ({ kernel }) => {
    const loaded = await kernel
      .resolve(MODELS)
      .load({ role: 'policy', purpose: 'inference', source: config.model ?? model });
    const [result] = await kernel.resolve(GENERATOR).inference({
      model: loaded,
      prompt: 't2 t3',
      options: { maxNewTokens: 8, eosTokenId: [], doSample: false },
      ...(settings ? { settings } : {}),
    });
    return result!.text.trim();
  });
}

test.run();
