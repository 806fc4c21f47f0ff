// The same mistake ends with the same exit code in every command.
import { execFileSync } from 'node:child_process';
import { createServer } from 'node:http';
import type { AddressInfo } from 'node:net';
import { mkdtempSync, readdirSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import inference from '@lmflow/preset-inference';
import loraPreset from '@lmflow/preset-lora';
import qloraPreset from '@lmflow/preset-qlora';
import int8Compute from '@lmflow/plugin-int8-compute';
import type { UserConfig } from '@lmflow/sdk';
import { ends, type Run } from './commands-in-process.ts';
import { fixtureModel } from './fixture-model.ts';

const model = fixtureModel();
const scratch = mkdtempSync(join(tmpdir(), 'lmflow-exit-codes-'));
const dataset = join(scratch, 'data.json');
writeFileSync(
  dataset,
  JSON.stringify({ type: 'text_only', instances: [{ text: 't3 t4 t5 t6 t7' }] }),
);
const file = join(scratch, 'file');
writeFileSync(file, '');
const text = join(scratch, 'prompt.txt');
writeFileSync(text, 'once');

async function allEnd(code: number, runs: readonly Run[]): Promise<void> {
  for (const run of runs) {
    const [found, error] = await ends(run);
    assert.is(found, code, `${run.command}: ${error}`);
  }
}

test('no model: 2', () =>
  allEnd(2, [
    {
      command: 'finetune',
      config: { presets: [loraPreset], dataset, outputDir: join(scratch, 'a') },
    },
    // `chat` takes the default model then.
    ...['generate', 'serve', 'quantize', 'merge', 'export'].map((command) => ({
      command,
      config: { presets: [inference], outputDir: join(scratch, 'a'), lora: { adapter: scratch } },
      ...(command === 'generate' ? { positionals: ['once'] } : {}),
    })),
  ]));

test('a model that is not there: 3', () =>
  allEnd(3, [
    {
      command: 'finetune',
      config: { presets: [loraPreset], model: './nowhere', dataset, outputDir: join(scratch, 'b') },
    },
    ...['generate', 'chat', 'serve', 'quantize', 'export'].map((command) => ({
      command,
      config: {
        presets: [inference],
        model: './nowhere',
        outputDir: join(scratch, 'b'),
        quantize: { bits: 8 as const },
      },
      ...(command === 'generate' ? { positionals: ['once'] } : {}),
      ...(command === 'export' ? { options: { format: 'safetensors' } } : {}),
    })),
  ]));

test('an unknown module: 2', () => {
  const training = { model, dataset, outputDir: join(scratch, 'c') };
  return allEnd(2, [
    {
      command: 'finetune',
      config: { presets: [loraPreset], ...training, lora: { targetModules: ['qproj'] } },
    },
    {
      command: 'finetune',
      config: { presets: [qloraPreset], ...training, qlora: { exclude: ['qproj'] } },
    },
    {
      command: 'finetune',
      config: {
        presets: [loraPreset],
        plugins: [int8Compute],
        ...training,
        int8Compute: { exclude: ['qproj'] },
      },
    },
    {
      command: 'generate',
      config: { presets: [inference], model, quantize: { bits: 8, exclude: ['qproj'] } },
      positionals: ['once'],
    },
  ]);
});

test('an output that cannot be written: 1', () => {
  const outputDir = join(file, 'out');
  return allEnd(1, [
    {
      command: 'finetune',
      config: { presets: [loraPreset], model, dataset, outputDir, maxSteps: 1, blockSize: 16 },
    },
    {
      command: 'quantize',
      config: { presets: [inference], model, outputDir, quantize: { bits: 8 } },
    },
    {
      command: 'export',
      config: { presets: [inference], model, outputDir },
      options: { format: 'safetensors' },
    },
    {
      command: 'export',
      config: { presets: [inference], model, outputDir },
      options: { format: 'onnx' },
    },
  ]);
});

// A limit on the size of files is a disk that is full, without a disk.
if (process.platform !== 'win32') {
  test('a full disk: 1, whoever writes, and nothing half-written stays', () => {
    const place = join(scratch, 'full');
    const training = (name: string): UserConfig => ({
      model,
      dataset,
      outputDir: join(place, name),
      maxSteps: 1,
      blockSize: 16,
    });
    const inferring = (name: string): UserConfig => ({
      presets: ['inference'],
      model,
      outputDir: join(place, name),
    });
    const runs: Run[] = [
      { command: 'finetune', config: { presets: ['qlora'], ...training('e') } },
      { command: 'finetune', config: { presets: ['finetune'], ...training('a') } },
      { command: 'quantize', config: { ...inferring('b'), quantize: { bits: 8 } } },
      { command: 'export', config: inferring('c'), options: { format: 'safetensors' } },
      { command: 'export', config: inferring('d'), options: { format: 'onnx' } },
    ];
    const cached: Run[] = [
      {
        command: 'generate',
        config: { ...inferring('f'), quantize: { bits: 8 } },
        positionals: ['t3'],
      },
    ];
    const told = execFileSync(
      'bash',
      [
        '-c',
        'ulimit -f 4; exec "$0" "$@"',
        process.execPath,
        '--conditions=lmflow-source',
        '--import',
        'tsx',
        join(import.meta.dirname, 'full-disk.ts'),
        JSON.stringify([...runs, ...cached]),
      ],
      {
        encoding: 'utf8',
        env: { ...process.env, TSX_DISABLE_CACHE: '1', LMFLOW_CACHE: join(place, 'cache') },
      },
    );
    assert.equal(told.trim().split('\n'), [
      ...runs.map(({ command }) => `${command} 1 LMFLOW_OUTPUT_UNWRITABLE`),
      ...cached.map(({ command }) => `${command} 1 LMFLOW_CACHE_UNWRITABLE`),
    ]);
    const left = readdirSync(place, { recursive: true, encoding: 'utf8' });
    assert.equal(
      left.filter((name) => name.includes('.writing-')),
      [],
    );
  });
}

test('a port that is taken: 1', async () => {
  const server = createServer();
  await new Promise<void>((done) => server.listen(0, '127.0.0.1', done));
  const { port } = server.address() as AddressInfo;
  try {
    await allEnd(1, [
      { command: 'serve', config: { presets: [inference], model, serve: { port } } },
    ]);
  } finally {
    server.close();
  }
});

test.after(() => rmSync(scratch, { recursive: true, force: true }));
test.run();
