// One build for every package: each entry of a package's exports map becomes dist/<entry>.js (ESM)
// and a bundled dist/<entry>.d.ts. Entries of a package share chunks, so a class is the same class
// from '.' and from './graph'. All packages go through rollup together (one TypeScript program,
// seconds instead of a minute); nothing is shared between packages, since their imports of each
// other are external. It is not the type check: npm run typecheck is.
import { copyFileSync, existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { dirname, join, relative, sep } from 'node:path';
import { dts } from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';
import ts from 'typescript';

const declared = '.cache/types'; // the declarations of single files, before they are bundled
const folders = ['sdk', 'kernel', ...inside('plugins'), ...inside('presets')];
const packages = folders.flatMap(entries);
const commands = folders.flatMap(command);
const external = (id) => !/^[./]|^[A-Za-z]:/.test(id);

function inside(folder) {
  return readdirSync(folder)
    .map((name) => `${folder}/${name}`)
    .filter((path) => existsSync(`${path}/package.json`));
}

// { name: 'sdk/dist/graph', source: 'sdk/src/graph/index.ts' }, read from the exports map
function entries(folder) {
  const { exports } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  return Object.values(exports)
    .filter((target) => typeof target === 'object')
    .map((target) => ({
      name: join(folder, target.default.slice(0, -'.js'.length)),
      source: join(folder, target['lmflow-source']),
    }));
}

// What only a bin file imports: code without public types.
function command(folder) {
  const source = `${folder}/src/cli.ts`;
  return existsSync(source) ? [{ name: `${folder}/dist/cli`, source }] : [];
}

function inputs(list, locate = (source) => source) {
  return Object.fromEntries(list.map(({ name, source }) => [name, locate(source)]));
}

// A shared chunk lies beside the entries of the package it was cut from.
function chunkName(root, extension) {
  return ({ moduleIds }) => {
    const parts = relative(root, dirname(moduleIds[0])).split(sep);
    const depth = parts.includes('src') ? parts.indexOf('src') : parts.length; // a package.json
    return `${parts.slice(0, depth).join('/')}/dist/shared-[hash]${extension}`;
  };
}

// The types of a preset name none of its plugins, but a configuration that imports the preset alone
// is to be checked against their sections.
function sections({ name }) {
  const folder = dirname(dirname(name));
  if (!folder.startsWith('presets/')) return '';
  const { dependencies } = JSON.parse(readFileSync(`${folder}/package.json`, 'utf8'));
  return Object.keys(dependencies)
    .filter((dependency) => dependency.startsWith('@lmflow/'))
    .map((dependency) => `import '${dependency}';`)
    .join('\n');
}

// `import manifest from '../package.json'` becomes the package's name and version, no file to read.
const manifests = {
  name: 'manifests',
  load(id) {
    if (!id.endsWith('package.json')) return null;
    const { name, version } = JSON.parse(readFileSync(id, 'utf8'));
    return `export default ${JSON.stringify({ name, version })};`;
  },
};

// npm packs only the LICENSE that lies in a package's own folder.
function clean() {
  for (const folder of folders) {
    rmSync(`${folder}/dist`, { recursive: true, force: true });
    copyFileSync('LICENSE', `${folder}/LICENSE`);
  }
}

// rollup-plugin-dts makes a program for each directory of entries; given .d.ts files it needs none.
function writeDeclarations() {
  rmSync(declared, { recursive: true, force: true });
  const { config } = ts.readConfigFile('tsconfig.json', ts.sys.readFile);
  const { options } = ts.parseJsonConfigFileContent(
    { ...config, include: [], files: [] },
    ts.sys,
    '.',
  );
  const emit = {
    declaration: true,
    emitDeclarationOnly: true,
    noEmit: false,
    rootDir: '.',
    outDir: declared,
  };
  const program = ts.createProgram(
    packages.map(({ source }) => source),
    { ...options, ...emit },
  );
  const { diagnostics } = program.emit();
  if (diagnostics.length === 0) return;
  const host = {
    getCanonicalFileName: (file) => file,
    getCurrentDirectory: () => process.cwd(),
    getNewLine: () => '\n',
  };
  throw new Error(ts.formatDiagnostics(diagnostics, host));
}

export default [
  {
    input: inputs([...packages, ...commands]),
    external,
    plugins: [
      { name: 'clean', buildStart: clean },
      manifests,
      esbuild({ target: 'es2022', tsconfig: false }),
    ],
    output: {
      dir: '.',
      format: 'es',
      entryFileNames: '[name].js',
      chunkFileNames: chunkName('.', '.js'),
    },
  },
  {
    input: inputs(packages, (source) => join(declared, source.replace(/\.ts$/, '.d.ts'))),
    external,
    plugins: [{ name: 'declarations', buildStart: writeDeclarations }, dts()],
    output: {
      dir: '.',
      format: 'es',
      banner: sections,
      entryFileNames: '[name].d.ts',
      chunkFileNames: chunkName(declared, '.d.ts'),
    },
  },
];
