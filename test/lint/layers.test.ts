// The import rules of eslint/layers.mjs on lines that must pass and lines that must not.
import { Linter } from 'eslint';
import ts from 'typescript-eslint';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { layersPlugin } from '../../eslint/layers.mjs';

function complaints(file: string, code: string): string[] {
  const config = [
    {
      files: ['**/*.ts'],
      languageOptions: { parser: ts.parser },
      plugins: { layers: layersPlugin },
      rules: { 'layers/import-direction': 'error', 'layers/declared-dependency': 'error' },
    } satisfies Linter.Config,
  ];
  return new Linter({ cwd: process.cwd() })
    .verify(code, config, { filename: `${process.cwd()}/${file}` })
    .map(({ message }) => message);
}

const allowed: [file: string, code: string][] = [
  ['sdk/src/token.ts', "import { z } from 'zod';"],
  ['sdk/src/token.ts', "import { x } from './graph/index.ts';"],
  ['kernel/src/index.ts', "import { Container } from 'tsyringe'; import '@lmflow/sdk/graph';"],
  [
    'plugins/lora/src/index.ts',
    "import { z } from '@lmflow/sdk'; import { join } from 'node:path';",
  ],
  [
    'plugins/lora/test/lora.test.ts',
    "import { x } from 'lmflow/testing'; import '@lmflow/plugin-models'; import { test } from 'uvu';",
  ],
  [
    'presets/lora/src/index.ts',
    "import lora from '@lmflow/plugin-lora'; import { definePreset } from '@lmflow/sdk';",
  ],
];

const refused: [file: string, code: string, message: RegExp][] = [
  ['sdk/src/token.ts', "import { Container } from 'tsyringe';", /belong to the kernel/],
  ['sdk/src/token.ts', "export * from 'tapable';", /belong to the kernel/],
  ['sdk/src/engine.ts', "const x = await import('onnxruntime-node');", /knows no runtime/],
  ['sdk/src/engine.ts', "type X = import('lmflow').Kernel;", /does not know the kernel/],
  ['kernel/src/index.ts', "import '@lmflow/plugin-lora';", /imports no plugin/],
  ['plugins/lora/src/index.ts', "import { createKernel } from 'lmflow';", /not on the kernel/],
  [
    'plugins/lora/src/index.ts',
    "import { x } from '@lmflow/plugin-models/dist/inner.js';",
    /inside is its own/,
  ],
  [
    'plugins/lora/src/index.ts',
    "import { x } from '../../models/src/index.ts';",
    /leaves the package/,
  ],
  [
    'plugins/lora/test/lora.test.ts',
    "import { x } from '../../models/src/index.ts';",
    /leaves the package/,
  ],
  [
    'plugins/lora/src/index.ts',
    "import { parse } from 'csv-parse';",
    /not a dependency in plugins\/lora\/package.json/,
  ],
  ['presets/lora/src/index.ts', "import { readFileSync } from 'lodash';", /a preset is data/],
];

for (const [file, code] of allowed) {
  test(`${file}: ${code}`, () => assert.equal(complaints(file, code), []));
}

for (const [file, code, message] of refused) {
  test(`not in ${file}: ${code}`, () => assert.match(complaints(file, code).join('\n'), message));
}

test.run();
