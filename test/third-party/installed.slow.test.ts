// A stranger's project: every package is packed and installed from its tarball outside of the
// repository; the packages of docs/writing-a-plugin.md are compiled by plain tsc, packed, installed,
// and run by the installed `lmflow`. Needs the build, the npm registry, and ../shared.
import { execFileSync } from 'node:child_process';
import {
  existsSync,
  mkdirSync,
  mkdtempSync,
  readFileSync,
  readdirSync,
  writeFileSync,
} from 'node:fs';
import { tmpdir } from 'node:os';
import { join, resolve } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { publicPackages } from '../packaging/tarballs.mjs';
import { npm } from '../runner/execute.mjs';
import { packages, sources, writePackages } from './recipes.ts';

const repository = resolve(import.meta.dirname, '../..');
const model = resolve(repository, '../shared/models/stories260k');
const project = mkdtempSync(join(tmpdir(), 'lmflow-stranger-'));
const tarballs = join(project, 'tarballs');
const env: NodeJS.ProcessEnv = {
  ...process.env,
  ONNXRUNTIME_NODE_INSTALL: 'skip',
  NODE_OPTIONS: '',
};
for (const key of Object.keys(env)) if (/^npm_/.test(key)) delete env[key]; // of an `npm test` we are in

function run(command: string, argv: readonly string[], cwd = project): string {
  try {
    return execFileSync(command, argv, { cwd, env, encoding: 'utf8', stdio: 'pipe' });
  } catch (error) {
    const { stdout, stderr } = error as { stdout: string; stderr: string };
    throw new Error(`${command} ${argv.join(' ')}\n${stdout}\n${stderr}`, { cause: error });
  }
}

const npmRun = (argv: string[], cwd?: string): string => run(...npm(argv), cwd);
const node = (...words: string[]): string => run(process.execPath, words);
const lmflow = (...words: string[]): string => node('node_modules/lmflow/bin/lmflow.mjs', ...words);
const pack = (cwd: string, words: string[] = []): string =>
  npmRun(['pack', '--ignore-scripts', '--silent', '--pack-destination', tarballs, ...words], cwd);
const packed = (names: readonly string[]): string[] =>
  readdirSync(tarballs)
    .filter((file) => names.some((name) => file.startsWith(`${name}-`)))
    .map((file) => `./tarballs/${file}`);
const install = (words: readonly string[]): string =>
  npmRun(['install', '--no-audit', '--no-fund', '--prefer-offline', ...words]);

function missing(): string | undefined {
  if (!existsSync(model)) return 'no ../shared';
  try {
    npmRun(['view', 'typescript', 'version']);
    return undefined;
  } catch {
    return 'the npm registry cannot be reached';
  }
}

const finetune = (outputDir: string, ...words: string[]): string =>
  lmflow('finetune', '--model', model, '--plugin', 'faq', '--dataset', 'faq.json', '--max-steps', '2', '--output-dir', outputDir, ...words); // prettier-ignore

const skipped = missing();
if (skipped !== undefined) console.log(`skipped: ${skipped}`);
const check = (name: string, work: () => void): void =>
  skipped === undefined ? test(name, work) : test.skip(name, work);

check('our packages are packed and installed from tarballs', () => {
  mkdirSync(tarballs);
  pack(repository, publicPackages(repository).flatMap(({ folder }) => ['--workspace', folder])); // prettier-ignore
  writeFileSync(join(project, 'package.json'), '{ "private": true, "type": "module" }');
  const { devDependencies } = JSON.parse(
    readFileSync(join(repository, 'package.json'), 'utf8'),
  ) as { devDependencies: Readonly<Record<string, string>> };
  const tools = ['typescript', '@types/node'].map((name) => `${name}@${devDependencies[name]}`);
  install([...packed(['lmflow']), ...tools]);
});

check('the packages of the page are compiled by tsc, packed and installed', () => {
  writePackages(project);
  const [plugins, presets] = ['plugin', 'preset'].map((kind) =>
    packages.filter((name) => name.startsWith(`lmflow-${kind}-`)),
  );
  for (const names of [plugins!, presets!]) {
    for (const name of names) {
      node('node_modules/typescript/bin/tsc', '--project', name);
      pack(join(project, name));
    }
    install(packed(names));
  }
  for (const name of packages) {
    const files = readdirSync(join(project, 'node_modules', name, 'dist'));
    assert.not(
      files.some((file) => file.includes('.test.')),
      files.join(),
    );
  }
  for (const path of sources.keys()) {
    if (!path.endsWith('.test.ts')) continue;
    node('--test', path.replace('/src/', '/dist/').replace(/ts$/, 'js'));
  }
});

check('lmflow shows them', () => {
  const names = packages.filter((name) => name.startsWith('lmflow-plugin-'));
  const flags = names.flatMap((name) => ['--plugin', name.replace('lmflow-plugin-', '')]);
  // acrostic is a reward
  const said = lmflow('plugins', '--preset', 'finetune', '--plugin', 'rewards', ...flags);
  for (const name of names) assert.match(said, `${name} 1.0.0`);
  assert.match(lmflow('inspect', '--preset', 'careful'), /learningRate +0\.01 +preset lmflow-preset-careful/); // prettier-ignore
});

check('they train', () => {
  const records = ['Tim', 'Lily', 'the cat'].map((who) => ({ question: `Who is ${who}?`, answers: [who, 'A friend.'] })); // prettier-ignore
  writeFileSync(join(project, 'faq.json'), JSON.stringify(records));
  assert.match(finetune('dry', '--dry-run'), /faq\.json: faq, 3 records/);
  assert.match(finetune('signum', '--plugin', 'signum', '--optim', 'signum', '--optim-args', 'momentum=0.95'), /signum/); // prettier-ignore
  finetune('exact', '--plugin', 'exact', '--engine', 'exact');
  assert.ok(existsSync(join(project, 'exact/model.safetensors')));
  finetune('careful', '--preset', 'careful', '--plateau-patience', '1');
  assert.ok(existsSync(join(project, 'careful/gates.safetensors')));
  const said = lmflow('longest', '--preset', 'finetune', '--plugin', 'faq', '--model', model, '--dataset', 'faq.json'); // prettier-ignore
  assert.match(said, /The longest sample has \d+ tokens\./);
});

check('they generate', () => {
  const answer = (...words: string[]): string =>
    lmflow('generate', '--model', model, 'Once upon a time, there', '--max-new-tokens', '8', ...words); // prettier-ignore
  assert.match(answer(), /\bwas\b/);
  assert.not.match(answer('--plugin', 'banned', '--banned-tokens', '▁was'), /\bwas\b/);
  assert.not.match(answer('--plugin', 'banned', '--settings', '{"banned":["▁was"]}'), /\bwas\b/);
  assert.is.not(answer('--plugin', 'gate', '--gate-from', 'careful'), '');
});

check('a model of a new family is trained and generates', () => {
  const source = JSON.parse(readFileSync(join(model, 'config.json'), 'utf8')) as object;
  const config = {
    ...source,
    model_type: 'starcoder2',
    architectures: ['Starcoder2ForCausalLM'],
    hidden_act: 'gelu_pytorch_tanh',
  };
  mkdirSync(join(project, 'family'));
  writeFileSync(join(project, 'family/config.json'), JSON.stringify(config));
  for (const file of ['tokenizer.json', 'tokenizer_config.json']) {
    writeFileSync(join(project, 'family', file), readFileSync(join(model, file)));
  }
  finetune('stars', '--plugin', 'starcoder2', '--model', 'family', '--from-scratch');
  assert.ok(lmflow('generate', '--plugin', 'starcoder2', '--model', 'stars', 'Once').length > 1);
});

test.run();
