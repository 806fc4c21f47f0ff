// One build for every package: each entry of a package's exports map becomes dist/<entry>.js (ESM) and a bundled
// dist/<entry>.d.ts. Entries of a package share chunks, so a class is the same class from '.' and from './graph'.
// It does not check types: `npm run typecheck` does.
import { existsSync, readdirSync, readFileSync, rmSync } from 'node:fs';
import { join } from 'node:path';
import { dts } from 'rollup-plugin-dts';
import esbuild from 'rollup-plugin-esbuild';

const external = (id) => !/^[./]/.test(id);
const folders = ['sdk', 'kernel', ...inside('plugins'), ...inside('presets')];

function inside(folder) {
  return readdirSync(folder)
    .map((name) => join(folder, name))
    .filter((path) => existsSync(join(path, 'package.json')));
}

// { index: 'sdk/src/index.ts', graph: 'sdk/src/graph/index.ts' }, read from the exports map
function entries(folder) {
  const { exports } = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  const named = Object.values(exports)
    .filter((target) => typeof target === 'object')
    .map((target) => [target.default.slice('./dist/'.length, -'.js'.length), join(folder, target['lmflow-source'])]);
  return Object.fromEntries(named);
}

// What only a bin file imports: it has code but no public types.
function commands(folder) {
  const cli = join(folder, 'src/cli.ts');
  return existsSync(cli) ? { cli } : {};
}

function builds(folder) {
  const dir = join(folder, 'dist');
  rmSync(dir, { recursive: true, force: true });
  const input = entries(folder);
  return [
    {
      input: { ...input, ...commands(folder) },
      external,
      plugins: [esbuild({ target: 'es2022', tsconfig: false })],
      output: { dir, format: 'es', chunkFileNames: 'shared-[hash].js', sourcemap: false },
    },
    {
      input,
      external,
      plugins: [dts({ tsconfig: 'tsconfig.json', compilerOptions: { noEmit: false } })],
      output: { dir, format: 'es', entryFileNames: '[name].d.ts', chunkFileNames: 'shared-[hash].d.ts' },
    },
  ];
}

export default folders.flatMap(builds);
