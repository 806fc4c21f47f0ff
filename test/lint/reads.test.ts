// Files that others wrote are read by readWhole, or after checkRegular: opening a named pipe or a
// device waits, or goes on for ever. Who opens files otherwise is listed with the reason.
import { readdirSync, readFileSync } from 'node:fs';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';

const root = fileURLToPath(new URL('../../', import.meta.url));

const written = 'its own file, written before';
const installed = 'of an installed package';
const checked = 'checkRegular has seen it';
const ALLOWED: Readonly<Record<string, string>> = {
  'sdk/src/device-check/machine.ts': 'of the system',
  'sdk/src/files/file.ts': written,
  'sdk/src/files/folder.ts': written,
  'kernel/src/cli/installed.ts': installed,
  'kernel/src/cli/sdk-copies.ts': installed,
  'plugins/datasets/src/readers/chunks.ts': `${checked}, in sources/source.ts`,
  'plugins/datasets/src/samples/sample-store.ts': written,
  'plugins/engine-onnx/src/default-threads.ts': 'of the system',
  'plugins/engine-onnx/src/profile.ts': written,
  'plugins/engine-onnx/src/weights/half-weights.ts': `${checked}, when the checkpoint was opened`,
  'plugins/export/src/gguf/reader.ts': written,
  'plugins/export/src/onnx/file.ts': written,
  'plugins/generate/src/commands/generate.ts': 'written; a named pipe needs a reader',
  'plugins/hub/src/download.ts': written,
  'plugins/hub/src/lock.ts': written,
  'plugins/serve/src/http/chat-page.ts': installed,
  'plugins/trainer/src/checkpoint/base-model-fingerprint.ts': `${checked}, when it was opened`,
  'plugins/trainer/src/checkpoint/checkpoint-folder.ts':
    'inspectCheckpoint has seen that it is a file',
};

/** Functions of node:fs that a module imports and that open a file. */
function openers(source: string): string[] {
  return [...source.matchAll(/import \{([^}]*)\} from 'node:fs(?:\/promises)?'/g)]
    .flatMap(([, names]) => names!.split(','))
    .map((name) => name.trim())
    .filter((name) => /^(readFile|readFileSync|createReadStream|open|openSync)$/.test(name));
}

const plugins = readdirSync(`${root}plugins`).map((name) => `plugins/${name}`);
const sources = ['sdk', 'kernel', ...plugins].flatMap((folder) =>
  (readdirSync(`${root}${folder}/src`, { recursive: true }) as string[])
    .filter((file) => file.endsWith('.ts') && !file.startsWith('testing'))
    .map((file) => `${folder}/src/${file}`),
);

test('who opens files checks that they are regular, or is known', () => {
  assert.ok(sources.length > 300, String(sources.length));
  const opening = sources.filter((file) => {
    const source = readFileSync(root + file, 'utf8');
    return openers(source).length > 0 && !/\bcheckRegular\b/.test(source);
  });
  assert.equal(opening.sort(), Object.keys(ALLOWED).sort());
});

test('what counts as opening', () => {
  assert.equal(openers("import { readFile, stat } from 'node:fs/promises';"), ['readFile']);
  assert.equal(openers("import {\n  openSync,\n  type Stats,\n} from 'node:fs';"), ['openSync']);
  assert.equal(openers("import { statSync } from 'node:fs';"), []);
});

test.run();
