// Who may import whom, as architecture.md draws it: sdk <- kernel, sdk <- plugins <- presets <-
// playground, test. Two lint rules: `import-direction` (layers, and no relative import out of a
// package) and `declared-dependency` (what a package imports is in its own package.json, because
// the workspace's shared node_modules hides a forgotten one).
import { existsSync, readFileSync } from 'node:fs';
import { isBuiltin } from 'node:module';
import { dirname, join, relative, resolve, sep } from 'node:path';

const root = resolve(import.meta.dirname, '..');
const runtimes = /^(onnxruntime-|@tensorflow\/|koffi$)/;
const kernel = /^lmflow(\/|$)/;
const plugin = /^@lmflow\/plugin-/;
const insideOfPlugin = /^@lmflow\/plugin-[^/]+\//;
const preset = /^@lmflow\/preset-/;
const container = /^(tsyringe|reflect-metadata|tapable)(\/|$)/;

// The first matching line of a layer is the reason an import is refused.
const layers = [
  {
    files: /^sdk\//,
    refuse: [
      [
        container,
        'the sdk has typed tokens and hook types of its own; tsyringe and tapable belong to the kernel',
      ],
      [runtimes, 'the sdk knows no runtime; engines are plugins'],
      [kernel, 'the sdk does not know the kernel'],
      [plugin, 'the sdk does not know plugins'],
      [preset, 'the sdk does not know presets'],
    ],
  },
  {
    files: /^kernel\//,
    refuse: [
      [plugin, 'the kernel imports no plugin; it loads what the config names'],
      [preset, 'the kernel imports no preset; it loads what the config names'],
      [runtimes, 'the kernel knows no runtime; engines are plugins'],
    ],
  },
  {
    files: /^plugins\//,
    refuse: [
      [
        kernel,
        'a plugin depends on @lmflow/sdk, not on the kernel (tests may import lmflow/testing)',
      ],
      [container, 'a plugin uses the tokens and hooks of @lmflow/sdk'],
      [
        insideOfPlugin,
        "another plugin's inside is its own; import its public entry or resolve a token",
      ],
      [preset, 'a preset lists plugins, not the other way round'],
    ],
  },
  {
    files: /^presets\//,
    refuse: [
      [
        /^(?!@lmflow\/(sdk|plugin-[^/]+)$)/,
        'a preset is data: it imports plugins and @lmflow/sdk, nothing else',
      ],
    ],
  },
];

const isTest = (file) => /\.test\.ts$|(^|\/)(test|tests|fixtures)\//.test(file);
const testMayImport = (source) =>
  /^lmflow(\/testing)?$/.test(source) || plugin.test(source) || preset.test(source);

function refusal(file, source) {
  if (isTest(file) && testMayImport(source) && !insideOfPlugin.test(source)) return undefined;
  const layer = layers.find(({ files }) => files.test(file));
  return layer?.refuse.find(([pattern]) => pattern.test(source))?.[1];
}

function packageFolder(path) {
  let folder = dirname(path);
  while (!existsSync(join(folder, 'package.json'))) folder = dirname(folder);
  return folder;
}

function namesIn(folder, ...fields) {
  const manifest = JSON.parse(readFileSync(join(folder, 'package.json'), 'utf8'));
  return [manifest.name, ...fields.flatMap((field) => Object.keys(manifest[field] ?? {}))];
}

// Calls check(node, source) for each kind of import, also import('x') and import('x').Type.
function everyImport(check) {
  const literal = (node, value) => typeof value === 'string' && check(node, value);
  const declaration = (node) => literal(node, node.source?.value);
  return {
    ImportDeclaration: declaration,
    ExportAllDeclaration: declaration,
    ExportNamedDeclaration: declaration,
    ImportExpression: declaration,
    TSImportType: declaration,
  };
}

const importDirection = {
  meta: {
    type: 'problem',
    schema: [],
    messages: {
      layer: "'{{source}}' here: {{reason}}.",
      leaves: "'{{source}}' leaves the package: import it by its package name.",
    },
  },
  create(context) {
    const path = context.filename;
    const file = relative(root, path).split(sep).join('/');
    const home = packageFolder(path);
    return everyImport((node, source) => {
      if (source.startsWith('.')) {
        const outside = relative(home, resolve(dirname(path), source)).startsWith('..');
        if (outside) context.report({ node, messageId: 'leaves', data: { source } });
        return;
      }
      if (isBuiltin(source)) return;
      const reason = refusal(file, source);
      if (reason !== undefined)
        context.report({ node, messageId: 'layer', data: { source, reason } });
    });
  },
};

const declaredDependency = {
  meta: {
    type: 'problem',
    schema: [],
    messages: { undeclared: "'{{name}}' is not a dependency in {{manifest}}." },
  },
  create(context) {
    const home = packageFolder(context.filename);
    const declared = new Set(
      namesIn(home, 'dependencies', 'peerDependencies', 'optionalDependencies'),
    );
    const file = relative(root, context.filename).split(sep).join('/');
    if (isTest(file))
      [...namesIn(home, 'devDependencies'), ...namesIn(root, 'devDependencies')].forEach((name) =>
        declared.add(name),
      );
    return everyImport((node, source) => {
      if (
        source.startsWith('.') ||
        isBuiltin(source) ||
        (isTest(file) && /^(@lmflow\/|lmflow(\/|$))/.test(source))
      )
        return;
      const name = source
        .split('/')
        .slice(0, source.startsWith('@') ? 2 : 1)
        .join('/');
      const manifest = `${relative(root, home) || '.'}/package.json`;
      if (!declared.has(name))
        context.report({ node, messageId: 'undeclared', data: { name, manifest } });
    });
  },
};

/** @type {import('eslint').ESLint.Plugin} */
export const layersPlugin = {
  meta: { name: 'layers' },
  rules: { 'import-direction': importDirection, 'declared-dependency': declaredDependency },
};
