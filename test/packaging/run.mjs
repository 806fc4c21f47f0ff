// The packaging test: npm pack, install the tarballs into an empty project outside the workspace,
// and use them there as a stranger would: plain node imports, types, and a finetune. Run `npm run
// build` first; --keep leaves the project there.
//
// A published package carries no .npmrc, so onnxruntime-node's post-install (a CUDA download from
// NuGet) would run here as it does for users; ONNXRUNTIME_NODE_INSTALL=skip is what our README
// tells those whose machine cannot reach that host.
import { execFileSync } from 'node:child_process';
import { mkdirSync, mkdtempSync, readFileSync, rmSync, statSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { npm } from '../runner/execute.mjs';
import { faults, publicPackages, specifiers } from './tarballs.mjs';

const root = resolve(import.meta.dirname, '../..');
const project = mkdtempSync(join(tmpdir(), 'lmflow-packaging-'));
const env = { ...process.env, ONNXRUNTIME_NODE_INSTALL: 'skip', NODE_OPTIONS: '' };
for (const key of Object.keys(env)) if (/^npm_/.test(key)) delete env[key]; // those of the `npm run` we are in

const packages = publicPackages(root);
const exported = packages.flatMap(({ manifest }) => specifiers(manifest));

try {
  const tarballs = step('pack', pack);
  step('install', () => install(tarballs));
  step('import', importAll);
  step('types', checkTypes);
  step('finetune', runFinetune);
  step('generate', runInference);
  console.log(`${packages.length} packages, ${exported.length} entries`);
} catch (error) {
  console.error(`packaging: ${error.message}\n${error.stdout ?? ''}`);
  process.exitCode = 1;
} finally {
  if (process.argv.includes('--keep')) console.log(`the project is left in ${project}`);
  else rmSync(project, { recursive: true, force: true });
}

function step(name, action) {
  const start = performance.now();
  const result = action();
  console.log(`${name}: ${((performance.now() - start) / 1000).toFixed(1)} s`);
  return result;
}

function command(name, args, cwd = project) {
  return execFileSync(name, args, {
    cwd,
    env,
    encoding: 'utf8',
    stdio: ['ignore', 'pipe', 'pipe'],
  });
}

function npmCommand(args, cwd = project) {
  const [name, words] = npm(args);
  return command(name, words, cwd);
}

function pack() {
  const chosen = packages.flatMap(({ folder }) => ['--workspace', folder]);
  const packed = Object.values(
    JSON.parse(
      npmCommand(
        ['pack', '--json', '--ignore-scripts', '--pack-destination', project, ...chosen],
        root,
      ),
    ),
  );
  const found = packages.flatMap((one) => {
    const tarball = packed.find(({ name }) => name === one.manifest.name);
    return tarball
      ? faults(
          one,
          tarball.files.map(({ path }) => path),
        )
      : [`${one.manifest.name} was not packed`];
  });
  if (found.length > 0)
    throw new Error(
      `what would be published is not right:\n${found.map((line) => `  ${line}`).join('\n')}`,
    );
  return packed.map(({ filename }) => `./${filename}`);
}

function install(tarballs) {
  const typescript = JSON.parse(readFileSync(join(root, 'package.json'), 'utf8')).devDependencies;
  const tools = [`typescript@${typescript.typescript}`, `@types/node@${typescript['@types/node']}`];
  writeFileSync(
    join(project, 'package.json'),
    JSON.stringify({ name: 'stranger', private: true, type: 'module' }),
  );
  npmCommand(['install', '--no-audit', '--no-fund', '--prefer-offline', ...tarballs, ...tools]);
  const { packages: installed } = JSON.parse(
    readFileSync(join(project, 'node_modules/.package-lock.json'), 'utf8'),
  );
  for (const { manifest } of packages) {
    const places = Object.entries(installed).filter(([path]) =>
      path.endsWith(`node_modules/${manifest.name}`),
    );
    const wrong = places.filter(
      ([path, { resolved }]) =>
        path !== `node_modules/${manifest.name}` || !resolved?.startsWith('file:'),
    );
    if (places.length !== 1 || wrong.length > 0) {
      throw new Error(
        `${manifest.name} should be installed once, from its tarball, but is at: ${places.map(([path, { resolved }]) => `${path} (${resolved})`).join(', ') || 'nowhere'}`,
      );
    }
  }
}

// Each entry resolves and loads in plain node, alone, and what two entries of a package both export
// is the same object.
function importAll() {
  for (const specifier of exported)
    command(process.execPath, ['--input-type=module', '--eval', `await import('${specifier}')`]);
  const identity = `
    const seen = new Map();
    for (const specifier of ${JSON.stringify(exported)}) {
      for (const [name, value] of Object.entries(await import(specifier))) {
        const key = specifier.split('/').slice(0, specifier.startsWith('@') ? 2 : 1).join('/') + ' ' + name;
        if (name !== 'default' && seen.has(key) && seen.get(key) !== value) throw new Error('two different ' + key);
        seen.set(key, value);
      }
    }`;
  command(process.execPath, ['--input-type=module', '--eval', identity]);
}

function checkTypes() {
  const imports = exported.map(
    (specifier, index) => `import * as entry${index} from '${specifier}';`,
  );
  const all = exported.map((_, index) => `entry${index}`);
  writeFileSync(
    join(project, 'types.ts'),
    [...imports, `export const entries: object[] = [${all.join(', ')}];`].join('\n'),
  );
  const options = {
    module: 'nodenext',
    target: 'es2022',
    lib: ['es2023'],
    types: ['node'],
    strict: true,
    noEmit: true,
  };
  // a program that imports a preset and none of its plugins: sections and results have their types
  // all the same
  writeFileSync(
    join(project, 'program.ts'),
    `import { createKernel } from 'lmflow';
import lora from '@lmflow/preset-lora';
const config = { presets: [lora], model: 'm', dataset: 'd.json', outputDir: 'out', validationSplit: 0.05 };
const { result } = await createKernel({ ...config, lora: { r: 16 } }).then((kernel) => kernel.run('finetune'));
console.log(result.evaluation);
// @ts-expect-error a rank is a number
await createKernel({ ...config, lora: { r: 'sixteen' } });
`,
  );
  for (const file of ['types.ts', 'program.ts']) {
    writeFileSync(
      join(project, 'tsconfig.json'),
      JSON.stringify({ compilerOptions: options, files: [file] }),
    );
    npmCommand(['exec', '--', 'tsc', '--project', '.']);
  }
}

// The README's first config, in a stranger's project: a tiny model from random weights, tuned with
// LoRA on twenty pairs.
function runFinetune() {
  const words = [
    'what',
    'is',
    'a',
    'cat',
    'dog',
    'bird',
    'fish',
    'animal',
    'that',
    'barks',
    'sings',
    'swims',
    'sleeps',
  ];
  const write = (file, value) =>
    writeFileSync(join(project, file), typeof value === 'string' ? value : JSON.stringify(value));
  mkdirSync(join(project, 'model'));
  write('model/config.json', {
    architectures: ['LlamaForCausalLM'],
    model_type: 'llama',
    hidden_size: 32,
    intermediate_size: 64,
    num_hidden_layers: 2,
    num_attention_heads: 4,
    num_key_value_heads: 2,
    vocab_size: words.length + 2,
    max_position_embeddings: 64,
    rms_norm_eps: 1e-5,
    rope_theta: 10000,
    tie_word_embeddings: true,
    hidden_act: 'silu',
  });
  const vocab = Object.fromEntries(['<unk>', '</s>', ...words].map((word, id) => [word, id]));
  write('model/tokenizer.json', {
    version: '1.0',
    truncation: null,
    padding: null,
    normalizer: null,
    post_processor: null,
    decoder: null,
    pre_tokenizer: { type: 'WhitespaceSplit' },
    added_tokens: [
      {
        id: 1,
        content: '</s>',
        single_word: false,
        lstrip: false,
        rstrip: false,
        normalized: false,
        special: true,
      },
    ],
    model: { type: 'WordLevel', vocab, unk_token: '<unk>' },
  });
  write('model/tokenizer_config.json', { eos_token: '</s>', unk_token: '<unk>' });
  const pair = (animal, does) => ({
    instruction: `what is a ${animal}`,
    output: `a ${animal} is a animal that ${does}`,
  });
  write(
    'data.json',
    Array.from({ length: 5 }, () => [
      pair('cat', 'sleeps'),
      pair('dog', 'barks'),
      pair('bird', 'sings'),
      pair('fish', 'swims'),
    ]).flat(),
  );
  write(
    'lmflow.config.ts',
    `import { defineConfig } from '@lmflow/sdk';
import lora from '@lmflow/preset-lora';
import { rank } from './rank.ts';

export default defineConfig({
  presets: [lora], model: 'model', fromScratch: true, dataset: 'data.json', outputDir: 'out',
  lora: { r: rank }, perDeviceTrainBatchSize: 4, maxSteps: 8, loggingSteps: 1, learningRate: 0.01,
});
`,
  );
  write('rank.ts', 'export const rank: number = 4;\n');
  npmCommand(['exec', '--', 'lmflow', 'finetune']);
  const { log_history: log } = JSON.parse(
    readFileSync(join(project, 'out/trainer_state.json'), 'utf8'),
  );
  const losses = log.flatMap(({ loss }) => loss ?? []);
  if (!(losses.length === 8 && losses[7] < losses[0]))
    throw new Error(`the finetune did not learn: losses ${losses.join(', ')}`);
  const { r } = JSON.parse(readFileSync(join(project, 'out/adapter_config.json'), 'utf8'));
  if (r !== 4 || statSync(join(project, 'out/adapter_model.safetensors')).size < 1000)
    throw new Error('the adapter is not what the config asked for');
}

// Commands of a preset that no configuration names: a whole model is trained, speaks, and is
// exported.
function runInference() {
  const lmflow = (...words) =>
    npmCommand(['exec', '--', 'lmflow', ...words], join(project, 'whole'));
  mkdirSync(join(project, 'whole'));
  writeFileSync(join(project, 'whole/lmflow.config.json'), '{}'); // or the one above is found
  lmflow(
    'finetune',
    '--model',
    '../model',
    '--from-scratch',
    '--dataset',
    '../data.json',
    '--output-dir',
    'out',
    '--max-steps',
    '4',
    '--per-device-train-batch-size',
    '4',
  );
  const [answer] = lmflow(
    'generate',
    '--model',
    'out',
    'what is a cat',
    '--max-new-tokens',
    '5',
    '--format',
    'jsonl',
  )
    .trim()
    .split('\n')
    .map((line) => JSON.parse(line));
  if (!(answer.newTokens >= 1)) throw new Error(`nothing was generated: ${JSON.stringify(answer)}`);
  lmflow('export', '--model', 'out', '--format', 'safetensors', '--output-dir', 'exported');
  if (statSync(join(project, 'whole/exported/model.safetensors')).size < 1000)
    throw new Error('the exported model is empty');
}
