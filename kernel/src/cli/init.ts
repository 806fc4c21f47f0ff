// `lmflow init`: writes a first lmflow.config.ts, and nothing else.
import { existsSync } from 'node:fs';
import { writeFile } from 'node:fs/promises';
import { join } from 'node:path';
import { configNames } from '../config-file.ts';
import { initExists } from '../errors.ts';

/** The text of the first config; `preset` is the name of an installed one. */
function starter(preset: string): string {
  return `import { defineConfig } from 'lmflow';

export default defineConfig({
  presets: ['${preset}'],
  model: 'HuggingFaceTB/SmolLM2-135M', // a folder or an id
  dataset: 'data.jsonl',               // a file, a folder or an id
  outputDir: 'out',
  learningRate: 2e-4,
});
`;
}

/** Writes it. Throws LMFLOW_INIT_EXISTS. */
export async function init(cwd: string, preset: string): Promise<string> {
  const taken = configNames.find((name) => existsSync(join(cwd, name)));
  if (taken !== undefined) throw initExists(taken);
  const file = join(cwd, 'lmflow.config.ts');
  await writeFile(file, starter(preset), { flag: 'wx' });
  return file;
}
