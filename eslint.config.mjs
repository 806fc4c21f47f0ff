// Lint for the whole workspace: type-aware rules, who may import whom (eslint/layers.mjs), sentences
// for exports (eslint/tsdoc.mjs), and the length of files.
import js from '@eslint/js';
import { defineConfig, globalIgnores } from 'eslint/config';
import ts from 'typescript-eslint';
import { layersPlugin } from './eslint/layers.mjs';
import { tsdocPlugin } from './eslint/tsdoc.mjs';

const typescript = {
  files: ['**/*.ts'],
  extends: [js.configs.recommended, ts.configs.recommendedTypeChecked],
  languageOptions: {
    parserOptions: { projectService: true, tsconfigRootDir: import.meta.dirname },
  },
  rules: {
    '@typescript-eslint/await-thenable': 'error',
    '@typescript-eslint/consistent-type-imports': ['error', { disallowTypeAnnotations: false }],
    '@typescript-eslint/no-explicit-any': 'error',
    '@typescript-eslint/no-floating-promises': 'error',
    '@typescript-eslint/no-misused-promises': 'error',
    '@typescript-eslint/only-throw-error': 'error',
    '@typescript-eslint/prefer-promise-reject-errors': 'error',
    '@typescript-eslint/return-await': ['error', 'error-handling-correctness-only'],
    '@typescript-eslint/switch-exhaustiveness-check': [
      'error',
      { considerDefaultExhaustiveForUnions: true },
    ],
    '@typescript-eslint/no-unused-vars': [
      'error',
      { argsIgnorePattern: '^_', varsIgnorePattern: '^_', caughtErrors: 'all' },
    ],
    // an interface may promise what one implementation has at once
    '@typescript-eslint/require-await': 'off',
    '@typescript-eslint/restrict-template-expressions': [
      'error',
      { allowNumber: true, allowBoolean: true },
    ],
    curly: ['error', 'multi-line'],
    eqeqeq: 'error',
    'no-console': 'error',
  },
};

const layers = {
  files: ['{sdk,kernel,plugins,presets}/**/*.ts'],
  plugins: { layers: layersPlugin },
  rules: { 'layers/import-direction': 'error', 'layers/declared-dependency': 'error' },
};

const sources = {
  files: ['{sdk,kernel,plugins/*,presets/*}/src/**/*.ts'],
  rules: { 'max-lines': ['error', { max: 400, skipBlankLines: false, skipComments: false }] },
};

// The contract and the default engine, which plugin authors read in their editor.
const documented = {
  files: ['sdk/src/**/*.ts', 'plugins/engine-onnx/src/**/*.ts'],
  plugins: { tsdoc: tsdocPlugin },
  rules: { 'tsdoc/sentence': 'error' },
};

// Functions and lines are short, and decisions are written out. Prettier breaks code at 100 columns,
// but neither strings nor comments.
const readable = {
  files: ['{sdk,kernel,plugins/*,presets/*}/src/**/*.ts'],
  rules: {
    'max-len': ['error', { code: 120, ignoreUrls: true, ignoreRegExpLiterals: true }],
    'max-lines-per-function': ['error', { max: 60, skipBlankLines: false, skipComments: false }],
    'no-nested-ternary': 'error',
  },
};

const tests = {
  files: ['**/*.test.ts', 'test/**/*.ts', 'playground/**/*.ts'],
  rules: { 'no-console': 'off' },
};

const scripts = {
  files: ['**/*.{js,mjs}'],
  extends: [js.configs.recommended],
  languageOptions: {
    globals: {
      process: 'readonly',
      console: 'readonly',
      URL: 'readonly',
      setTimeout: 'readonly',
      clearTimeout: 'readonly',
      performance: 'readonly',
    },
  },
};

export default defineConfig(
  globalIgnores(['**/dist/', '**/node_modules/', '**/fixtures/', '**/out/', '.cache/', 'shared/']),
  { linterOptions: { reportUnusedDisableDirectives: 'error' } },
  typescript,
  layers,
  sources,
  documented,
  readable,
  tests,
  scripts,
);
