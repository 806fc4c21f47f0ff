// The lmflow command: help, flags, output, exit codes; in this process where that is enough, as a
// process where it is not.
import { spawn } from 'node:child_process';
import { readFileSync, realpathSync } from 'node:fs';
import { join } from 'node:path';
import { fileURLToPath } from 'node:url';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import { main } from '../src/cli/main.ts';
import { kernelVersion } from '../src/versions.ts';
import { pluginModule, project } from './samples.ts';

const demo = `
import { z } from 'zod';
export default () => ({
  name: 'demo', version: '2.1.0', sdk: '^1.0.0',
  options: {
    section: 'demo',
    schema: z.object({
      size: z.int().min(1).default(8).describe('how large it is; a description that is long enough to be broken into several lines at any width that is readable'),
      mode: z.enum(['slow', 'fast']).default('slow').describe('how'),
      keep: z.boolean().default(true).describe('whether it is kept'),
      hubToken: z.string().optional().describe('secret'),
    }),
  },
  apply(context) {
    context.hooks.onStep.tap(() => undefined);
    context.hooks.onDoctor.tap((checks) => { checks.push({ subject: 'demo', status: 'ok', detail: 'is well' }); });
    context.provide({ name: 'demo:service' }, () => ({}));
    context.command({
      name: 'show', summary: 'shows what it got', usage: '[words]', sections: ['demo'], examples: ['lmflow show --demo-size 3'], unsupported: { dataset: 'there is no data' },
      options: z.object({ loud: z.boolean().default(false).describe('in capitals') }),
      async run({ options, positionals, config }) {
        await context.hooks.onStep.promise({});
        context.log.info('size ' + config.demo.size);
        context.log.warn('careful');
        context.log.event('shown', { size: config.demo.size, loud: options.loud, positionals }, options.loud ? 'SHOWN' : 'shown');
        return config.demo.size === 99 ? 9 : undefined;
      },
    });
    context.command({ name: 'speak', summary: 'has a product', pipes: true, async run({ output }) { context.log.info('a message'); output.write('the product\\n'); context.log.event('spoken', { words: 2 }); } });
    context.command({ name: 'crash', summary: 'has a bug', async run() { return undefined.x; } });
    context.command({ name: 'wait', summary: 'waits for Ctrl-C', async run({ signal }) {
      console.log('waiting');
      await new Promise((resolve) => { const timer = setInterval(() => {}, 50); signal.addEventListener('abort', () => { clearInterval(timer); resolve(); }); });
      console.log('saved');
    } });
  },
});
`;

const { folder, remove } = project({
  'lmflow.config.mjs':
    'export default { plugins: ["./demo.mjs"], model: "m", demo: { mode: "fast", hubToken: "hf_123" } };',
  'demo.mjs': demo,
});
const bare = project({});
process.env['LMFLOW_CACHE'] = join(bare.folder, '.cache'); // times of the last command
test.after(() => {
  remove();
  bare.remove();
});

interface Ended {
  readonly code: number;
  readonly out: string;
  readonly err: string;
}

async function lmflow(words: readonly string[], cwd = folder): Promise<Ended> {
  let out = '';
  let err = '';
  const code = await main(
    ['--cwd', cwd, ...words],
    {
      write: (text) => {
        out += text;
      },
    },
    {
      write: (text) => {
        err += text;
      },
    },
  );
  return { code, out, err };
}

test('--version, -V, with and without --json', async () => {
  assert.is((await lmflow(['--version'])).out, `lmflow ${kernelVersion} (@lmflow/sdk 1.0.0)\n`);
  assert.is(
    (JSON.parse((await lmflow(['-V', '--json'])).out) as { lmflow: string }).lmflow,
    kernelVersion,
  );
});

test('--help lists commands, presets and global flags', async () => {
  const { code, out } = await lmflow(['--help']);
  assert.is(code, 0);
  for (const line of [
    'Usage: lmflow <command> [--preset NAME] [flags]',
    '  show   shows what it got',
    '  doctor ',
    '  lora ',
    '  --preset NAME',
    '  --no-color',
    'lmflow.config.mjs',
  ]) {
    assert.ok(out.includes(line), `${line} is missing in\n${out}`);
  }
  assert.equal(await lmflow([]), { code, out, err: '' });
});

test('--help works where the configuration is broken', async () => {
  const { code, out, err } = await lmflow(['--plugin', 'nothing', '--help']);
  assert.is(code, 0);
  assert.match(out, /Built in:/);
  assert.match(err, /cannot be loaded: "nothing", listed in --plugin, is not installed/);
});

test('all help of a command has its own flags, sections with types and defaults, and fits the width', async () => {
  for (const words of [
    ['show', '--help', 'all'],
    ['help', 'show', 'all'],
  ]) {
    const { code, out } = await lmflow(words);
    assert.is(code, 0);
    for (const part of [
      'lmflow show: shows what it got',
      'Usage: lmflow show [words] [flags]',
      '  --loud ',
      'demo (demo):',
      '--size <integer>',
      '[default 8]',
      '--mode <slow|fast>',
      '[default slow]',
      '--[no-]keep',
      'General:',
      '--seed <integer>',
      '[default 42]',
      'lmflow show --demo-size 3',
    ]) {
      assert.ok(out.includes(part), `${part} is missing in\n${out}`);
    }
    assert.not.match(out, /--dataset/, 'what is refused');
    assert.ok(
      out.indexOf('demo (demo):') < out.indexOf('General:'),
      'the sections of the command come first',
    );
    for (const line of out.split('\n')) assert.ok(line.length <= 100, `too long: ${line}`);
  }
  assert.match((await lmflow(['doctor', '--help'])).out, /what works on this machine/);
});

test('help of a command is a screen of what people set', async () => {
  const { code, out } = await lmflow(['show', '--help']);
  assert.is(code, 0);
  for (const part of [
    'Usage: lmflow show [words] [flags]',
    '--size <integer>',
    '--loud',
    'All flags: lmflow show --help all.',
  ]) {
    assert.ok(out.includes(part), `${part} is missing in\n${out}`);
  }
  assert.not.match(out, /--seed|General:/);
});

test('help of the options of a plugin, by the name of its package, its short name or its section', async () => {
  const section = /^positionInterpolation \(@lmflow\/plugin-position-interpolation\): section/;
  for (const name of [
    'positionInterpolation',
    'position-interpolation',
    'plugin-position-interpolation',
    '@lmflow/plugin-position-interpolation',
  ]) {
    assert.match((await lmflow(['help', name])).out, section, name);
    const loaded = ['--preset', 'finetune', '--plugin', 'position-interpolation', 'help', name];
    assert.match((await lmflow(loaded)).out, section, `${name}, loaded`);
  }
  assert.match((await lmflow(['help', 'lora'])).out, /^preset @lmflow\/preset-lora[^]*\nlora \(/);
  assert.match((await lmflow(['help', '@lmflow/plugin-lora'])).out, /^lora \(/);
  assert.not.match((await lmflow(['help', '@lmflow/preset-lora'])).out, /\nlora \(/);
});

test('help of an installed plugin whose section has another name than its package', async () => {
  const gate =
    "export default { name: 'lmflow-plugin-gate', version: '1.0.0', sdk: '^1.0.0', options: { section: 'valves', schema: z.object({ size: z.int().default(1).describe('how wide') }) }, apply() {} };";
  const installed = project({
    'node_modules/lmflow-plugin-gate/package.json': JSON.stringify({
      name: 'lmflow-plugin-gate',
      version: '1.0.0',
      type: 'module',
      exports: './index.js',
    }),
    'node_modules/lmflow-plugin-gate/index.js': `import { z } from 'zod';\n${gate}`,
    'node_modules/lmflow-plugin-broken/package.json': JSON.stringify({
      name: 'lmflow-plugin-broken',
      type: 'module',
      exports: './index.js',
    }),
    'node_modules/lmflow-plugin-broken/index.js': 'throw new Error("broken");',
  });
  try {
    for (const name of ['valves', 'gate', 'lmflow-plugin-gate']) {
      assert.match((await lmflow(['help', name], installed.folder)).out, /--valves-size/, name);
    }
  } finally {
    installed.remove();
  }
});

test('words that are no name are told, and all of help is the overview', async () => {
  const overview = await lmflow(['--help']);
  for (const words of [
    ['help', '--help', 'all'],
    ['--help', 'all'],
    ['help', 'all'],
    ['help', 'help'],
  ]) {
    assert.equal(await lmflow(words), overview, words.join(' '));
  }
  for (const [words, says] of [
    [
      ['help', 'demo', 'extra'],
      /takes one name, but got "demo" and "extra"\n {2}Run lmflow help demo/,
    ],
    [['help', 'demo', 'extra', 'all'], /takes one name/],
    [['completion', 'bash', 'zsh'], /takes one name, but got "bash" and "zsh"/],
    [['init', 'here'], /lmflow init takes no argument, but got "here"/],
    [['init', '--here'], /LMFLOW_FLAG_UNKNOWN: unknown flag --here/],
    [['plugins', 'demo'], /lmflow plugins takes no argument/],
  ] as const) {
    const { code, err } = await lmflow(words);
    assert.is(code, 2, words.join(' '));
    assert.match(err, says);
  }
  assert.is((await lmflow(['doctor', 'demo'])).code, 1);
});

test('help of the options of a plugin, and of a preset, by name', async () => {
  assert.match(
    (await lmflow(['help', 'demo'])).out,
    /demo \(demo\): section "demo"[^]*--demo-size <integer>/,
  );
  const { err, code } = await lmflow(['help', 'nothing']);
  assert.is(code, 2);
  assert.match(err, /LMFLOW_COMMAND_UNKNOWN/);
});

test('a key of the section of the plugin that has the command needs no prefix there', async () => {
  const plain = await lmflow(['show', '--size', '3', '--no-keep']);
  assert.equal(plain, await lmflow(['show', '--demo-size', '3', '--no-demo-keep']));
  assert.is(plain.code, 0, plain.err);
  const { err } = await lmflow(['show', '--size', '3', '--demo-size', '4']);
  assert.match(err, /LMFLOW_FLAG_INVALID.*--demo-size.*is the same as --size/);
});

test('a command gets flags, own flags and arguments; its number is the exit code', async () => {
  const { code, out, err } = await lmflow(['show', 'a', '--loud', '--demo-size=3', 'b']);
  assert.equal([code, out, err], [0, 'size 3\nSHOWN\n', 'warning: careful\n']);
  assert.is((await lmflow(['show', '--demo-size', '99'])).code, 9);
});

test('a command whose product is text: stdout has nothing else, and with --json events alone', async () => {
  assert.equal(await lmflow(['speak']), { code: 0, out: 'the product\n', err: 'a message\n' });
  assert.equal(await lmflow(['speak', '--json']), {
    code: 0,
    out: '{"type":"spoken","words":2}\n',
    err: 'a message\nthe product\n',
  });
});

test('a command that nothing loaded has is found in an installed preset that brings it', async () => {
  const preset =
    "export default { name: 'lmflow-preset-greeting', plugins: [{ name: 'lmflow-plugin-hello', version: '1.0.0', sdk: '^1.0.0', apply(context) { context.command({ name: 'hello', summary: 'greets', async run({ config }) { context.log.info('hello from ' + config.model); } }); } }] };";
  const files = {
    'node_modules/lmflow-preset-greeting/package.json': JSON.stringify({
      name: 'lmflow-preset-greeting',
      version: '1.0.0',
      type: 'module',
      exports: './index.js',
      description: 'greets',
      lmflow: { commands: ['hello'] },
    }),
    'node_modules/lmflow-preset-greeting/index.js': preset,
  };
  const installed = project({
    ...files,
    'lmflow.config.mjs': 'export default { plugins: ["./demo.mjs"], model: "m" };',
    'demo.mjs': demo,
  });
  try {
    const { code, out } = await lmflow(['hello'], installed.folder);
    assert.is(code, 0);
    assert.match(out, /hello from m/);
    assert.match((await lmflow(['hello', '--help'], installed.folder)).out, /lmflow hello: greets/);
    assert.match(
      (await lmflow(['--help'], installed.folder)).out,
      /greeting +greets \(lmflow hello\)/,
    );
    assert.is((await lmflow(['show'], installed.folder)).code, 0);
    assert.not.match(
      (await lmflow(['plugins'], installed.folder)).out,
      /hello/,
      'it is not loaded for other commands',
    );
    assert.is((await lmflow(['hullo'], installed.folder)).code, 2);
  } finally {
    installed.remove();
  }
});

test('--json: events on stdout, lines for people on stderr', async () => {
  const { out, err } = await lmflow(['show', 'a', '--json']);
  assert.equal(JSON.parse(out), { type: 'shown', size: 8, loud: false, positionals: ['a'] });
  assert.is(err, 'size 8\nwarning: careful\n');
});

const failures: readonly (readonly [string, readonly string[], number, RegExp])[] = [
  [
    'an unknown command',
    ['shwo'],
    2,
    /^error LMFLOW_COMMAND_UNKNOWN: there is no command "shwo"\n {2}Did you mean "show"\?\n$/,
  ],
  [
    'an unknown flag',
    ['show', '--demo-sizes', '3'],
    2,
    /^error LMFLOW_FLAG_UNKNOWN: .*\n {2}Did you mean --demo-size\?/,
  ],
  [
    'a wrong value',
    ['show', '--demo-size', 'big'],
    2,
    /^error LMFLOW_CONFIG_INVALID: demo\.size = "big" \(from --demo-size\) must be a whole number\n$/,
  ],
  [
    'a wrong value of an own flag',
    ['show', '--loud=maybe'],
    2,
    /loud = "maybe" .* must be true or false/,
  ],
  ['an argument where none is taken', ['crash', 'x'], 2, /LMFLOW_ARGUMENT_UNEXPECTED/],
  [
    'a global flag without value',
    ['show', '--config'],
    2,
    /LMFLOW_FLAG_INVALID: --config needs a value/,
  ],
  [
    'a flag before the command',
    ['--demo-size', '3', 'show'],
    2,
    /LMFLOW_FLAG_UNKNOWN: unknown flag --demo-size\n {2}Write the flags of a command after it/,
  ],
  ['a config file that is absent', ['show', '--config', 'none.ts'], 2, /LMFLOW_CONFIG_NOT_FOUND/],
  [
    'a preset that is not installed',
    ['show', '--preset', 'none'],
    2,
    /LMFLOW_PLUGIN_NOT_FOUND: "none", listed in --preset, .*\n {2}Run npm install @lmflow\/preset-none/,
  ],
];

for (const [name, words, expected, says] of failures) {
  test(`${name}: code ${expected}, no stack`, async () => {
    const { code, err } = await lmflow(words);
    assert.is(code, expected);
    assert.match(err, says);
    assert.not.match(err, /\n\s+at /);
  });
}

test('--json: an error is a line of JSON on stderr', async () => {
  const { code, err } = await lmflow(['shwo', '--json']);
  assert.is(code, 2);
  assert.is((JSON.parse(err) as { code: string }).code, 'LMFLOW_COMMAND_UNKNOWN');
});

test('--verbose shows stacks', async () => {
  assert.match((await lmflow(['shwo', '--verbose'])).err, /\n\s+at /);
});

test('a bug: code 1, says so, with its stack', async () => {
  const { code, err } = await lmflow(['crash']);
  assert.is(code, 1);
  assert.match(err, /^unexpected error, which is a bug[^]*TypeError[^]*\n\s+at .*demo\.mjs/);
});

test('nothing loaded: says what to do', async () => {
  const { folder: empty, remove: clean } = project({
    'lmflow.config.json': '{ "presets": [] , "plugins": ["./p.mjs"] }',
    'p.mjs': pluginModule('p'),
  });
  const { code, err } = await lmflow(['tune'], empty);
  clean();
  assert.is(code, 2);
  assert.match(err, /no command "tune"/);
});

test('plugins, for people and as JSON', async () => {
  const { out } = await lmflow(['plugins']);
  for (const part of [
    'demo 2.1.0',
    'onStep',
    'demo:service',
    'show, speak, crash, wait',
    '4 in demo',
  ]) {
    assert.ok(out.includes(part), out);
  }
  const [report] = JSON.parse((await lmflow(['plugins', '--json'])).out) as [
    Record<string, unknown>,
  ];
  assert.equal(report, {
    name: 'demo',
    version: '2.1.0',
    sdk: '^1.0.0',
    requires: [],
    section: 'demo',
    options: 4,
    taps: ['onStep', 'onDoctor'],
    provides: ['demo:service'],
    contributes: [],
    commands: ['show', 'speak', 'crash', 'wait'],
  });
});

test('inspect: values with origin, secrets covered, taps in order', async () => {
  const { out } = await lmflow(['inspect', '--demo-size', '3']);
  assert.match(out, /demo\.size +3 +--demo-size\n/);
  assert.match(out, /demo\.mode +"fast" +lmflow\.config\.mjs\n/);
  assert.match(out, /seed +42 +default\n/);
  assert.match(out, /onStep +demo\n/);
  assert.not.match(out, /hf_123/);
  const report = JSON.parse((await lmflow(['inspect', '--json'])).out) as {
    settings: { key: string; value: unknown; origin: string }[];
    hooks: object;
  };
  assert.equal(
    report.settings.find(({ key }) => key === 'model'),
    { key: 'model', value: 'm', origin: 'lmflow.config.mjs' },
  );
  assert.equal(report.hooks, {
    onStep: [{ plugin: 'demo' }],
    onDoctor: [{ plugin: 'demo' }],
  });
});

const loads = pluginModule(
  'loads',
  `context.hooks.onModelLoad.tap('memory', () => undefined);
    context.hooks.onModelLoad.tap('shape', () => undefined);
    context.provide({ name: 'models' }, () => ({
      load: async (request) => {
        context.log.event('loading', request);
        return {
          wraps: [{ building: 'matmul', by: 'one' }, { building: 'project', by: 'two' }],
          claims: [{ plugin: 'one', how: 'in 4 bits', linears: ['q', 'k'], exclude: 'one.exclude', active: true }],
        };
      },
    }));`,
);
const loading = project({
  'lmflow.config.mjs': 'export default { plugins: ["./loads.mjs"], model: "m" };',
  'loads.mjs': loads,
});
const nameless = project({
  'lmflow.config.mjs': 'export default { plugins: ["./loads.mjs"] };',
  'loads.mjs': loads,
});
test.after(() => {
  loading.remove();
  nameless.remove();
});

test('inspect: phases, and with --load-model the wraps of the model, in order', async () => {
  const plain = await lmflow(['inspect'], loading.folder);
  assert.match(plain.out, /onModelLoad shape +loads\n +onModelLoad memory +loads\n/);
  assert.match(plain.out, /add --load-model training/);
  const { out } = await lmflow(['inspect', '--load-model', 'inference'], loading.folder);
  assert.match(
    out,
    /wraps of m, loaded for inference, the first innermost\n +matmul +one\n +project +two\n/,
  );
  assert.match(out, /linears of m, loaded for inference\n +2 in 4 bits +one\n/);
  const json = await lmflow(['inspect', '--load-model', 'training', '--json'], loading.folder);
  assert.equal((JSON.parse(json.out) as { model: object }).model, {
    source: 'm',
    purpose: 'training',
    wraps: [
      { building: 'matmul', by: 'one' },
      { building: 'project', by: 'two' },
    ],
    claims: [{ plugin: 'one', how: 'in 4 bits', linears: ['q', 'k'] }],
  });
  assert.match(json.err, /"type":"loading"/, 'what loading says is beside the report');
});

test('inspect: --load-model needs a purpose, a model, and a plugin that loads it', async () => {
  const said = async (words: readonly string[], where: string): Promise<string> => {
    const { code, err } = await lmflow(['inspect', '--load-model', ...words], where);
    assert.is(code, 2);
    return err;
  };
  assert.match(await said(['chatting'], loading.folder), 'LMFLOW_FLAG_INVALID');
  assert.match(await said(['training'], folder), 'LMFLOW_TOKEN_MISSING');
  assert.match(await said(['training'], nameless.folder), /Name one with --model/);
  assert.match((await lmflow(['inspect', '--help'])).out, /--load-model <training\|inference>/);
});

test('inspect: what taps cost in the last command of the folder', async () => {
  await lmflow(['show']);
  assert.match(
    (await lmflow(['inspect'])).out,
    /times of taps in the last show \(20.*\)\n +demo onStep +\d+\.\d ms in 1 call\n/,
  );
  const { lastRun } = JSON.parse((await lmflow(['inspect', '--json'])).out) as {
    lastRun: { command: string };
  };
  assert.is(lastRun.command, 'show');
  assert.not.match((await lmflow(['inspect'], bare.folder)).out, /times of taps/);
});

test('doctor: machine, configuration, engine, and what plugins add', async () => {
  const checks = JSON.parse((await lmflow(['doctor', '--json'])).out) as {
    subject: string;
    status: string;
    remedy?: string;
  }[];
  const of = (subject: string): string | undefined =>
    checks.find((check) => check.subject === subject)?.status;
  assert.equal(['lmflow', 'node', 'configuration', 'engine', 'demo'].map(of), [
    'ok',
    'ok',
    'ok',
    'problem',
    'ok',
  ]);
  assert.match(
    checks.find(({ subject }) => subject === 'engine')!.remedy!,
    /npm install @lmflow\/plugin-engine-onnx/,
  );
  assert.match(
    (await lmflow(['doctor'])).out,
    /x {3}engine +no plugin provides one\n +-> Run npm install/,
  );
});

test('doctor tells of a plugin with a copy of the sdk of its own', async () => {
  const { folder, remove } = project({
    'lmflow.config.json': '{ "plugins": ["own", "shared"] }',
    'node_modules/lmflow-plugin-own/node_modules/@lmflow/sdk/package.json':
      '{ "version": "9.8.7" }',
    ...Object.fromEntries(
      ['own', 'shared'].flatMap((name) => [
        [
          `node_modules/lmflow-plugin-${name}/package.json`,
          `{ "name": "lmflow-plugin-${name}", "type": "module", "exports": { ".": "./index.js" } }`,
        ],
        [
          `node_modules/lmflow-plugin-${name}/index.js`,
          `export default { name: 'lmflow-plugin-${name}', version: '1.0.0', sdk: '^1.0.0', apply() {} };`,
        ],
      ]),
    ),
  });
  const checks = JSON.parse((await lmflow(['doctor', '--json'], folder)).out) as {
    subject: string;
    detail: string;
  }[];
  remove();
  const told = checks.filter(({ detail }) => detail.includes('another copy'));
  assert.equal(
    told.map(({ subject }) => subject),
    ['lmflow-plugin-own'],
  );
  assert.match(told[0]!.detail, /@lmflow\/sdk \(9\.8\.7 in .*lmflow-plugin-own/);
});

test('doctor works with a broken configuration', async () => {
  const { code, out } = await lmflow(['doctor', '--demo-size', '0']);
  assert.is(code, 1);
  assert.match(out, /x {3}configuration +LMFLOW_CONFIG_INVALID: demo\.size = 0/);
});

test('init writes a config once', async () => {
  const { out } = await lmflow(['init'], bare.folder);
  assert.match(out, /wrote .*lmflow\.config\.ts/);
  assert.match(readFileSync(join(bare.folder, 'lmflow.config.ts'), 'utf8'), /presets: \['lora'\]/);
  const { code, err } = await lmflow(['init'], bare.folder);
  assert.is(code, 2);
  assert.match(err, /LMFLOW_INIT_EXISTS/);
});

test('--cwd is the working directory of everything that runs, and of nothing after', async () => {
  const { folder: inner, remove: removeInner } = project(
    { 'lmflow.config.mjs': 'export default () => ({ model: process.cwd() });' },
    false,
  );
  const before = process.cwd();
  const { out } = await lmflow(['inspect', '--json'], inner);
  assert.is(
    (JSON.parse(out) as { settings: { key: string; value: unknown }[] }).settings.find(
      ({ key }) => key === 'model',
    )?.value,
    realpathSync(inner),
  );
  assert.is(process.cwd(), before);
  const { code, err } = await lmflow(['inspect'], join(inner, 'absent'));
  assert.is(code, 2);
  assert.match(err, /LMFLOW_FLAG_INVALID: --cwd .*absent cannot be entered/);
  removeInner();
});

const cli = fileURLToPath(new URL('../src/cli.ts', import.meta.url));
const root = fileURLToPath(new URL('../..', import.meta.url));

function start(
  words: readonly string[],
  onOut: (text: string, kill: (signal: NodeJS.Signals) => void) => void = () => undefined,
): Promise<Ended> {
  return new Promise((resolve) => {
    // tsx is found from the repository, the command works in the project
    const child = spawn(
      process.execPath,
      ['--conditions=lmflow-source', '--import', 'tsx', cli, '--cwd', folder, ...words],
      { cwd: root, env: { ...process.env, NO_COLOR: '' } },
    );
    let out = '';
    let err = '';
    child.stdout.on('data', (data: Buffer) => {
      out += data.toString();
      onOut(data.toString(), (signal) => child.kill(signal));
    });
    child.stderr.on('data', (data: Buffer) => {
      err += data.toString();
    });
    child.on('close', (code) => {
      resolve({ code: code ?? -1, out, err });
    });
  });
}

test('as a process: output and exit code', async () => {
  assert.equal(await start(['show', '--demo-size', '99']), {
    code: 9,
    out: 'size 99\nshown\n',
    err: 'warning: careful\n',
  });
});

test('the first Ctrl-C lets the command save, then the code is 130', async () => {
  const { code, out, err } = await start(['wait'], (text, kill) => {
    if (text.includes('waiting')) kill('SIGINT');
  });
  assert.equal([code, out], [130, 'waiting\nsaved\n']);
  assert.match(err, /Ctrl-C again ends at once/);
});

test('SIGTERM does the same, with 143', async () => {
  const { code, out } = await start(['wait'], (text, kill) => {
    if (text.includes('waiting')) kill('SIGTERM');
  });
  assert.equal([code, out], [143, 'waiting\nsaved\n']);
});

test.run();
