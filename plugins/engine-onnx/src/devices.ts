// Finds which devices work here by running a tiny program on each. Devices other than the CPU are
// tried in another process, since a broken driver may print, hang or crash.
import { spawn } from 'node:child_process';
import { Graph, add } from '@lmflow/sdk/graph';
import { messageOf, type DeviceReport } from '@lmflow/sdk';
import { compileModel, inputName, outputName } from './compiled-model.ts';
import { textOf } from './errors.ts';
import { flatten } from './flat-graph.ts';
import { createLowerings } from './lowerings/index.ts';
import { loadRuntime, runtimeUrl } from './runtime.ts';

interface Device {
  readonly name: string;
  readonly platforms: readonly NodeJS.Platform[];
  readonly what: string;
  readonly help: string;
}

/** Devices beside the CPU, by the runtime's names. */
const known: readonly Device[] = [
  {
    name: 'webgpu',
    platforms: ['linux', 'darwin', 'win32'],
    what: 'WebGPU (Vulkan, Metal or D3D12)',
    help: 'it needs a GPU with a Vulkan, Metal or D3D12 driver',
  },
  {
    name: 'cuda',
    platforms: ['linux', 'win32'],
    what: 'NVIDIA CUDA',
    help:
      'on Linux x64, install its libraries: ONNXRUNTIME_NODE_INSTALL=cuda12 ' +
      'node node_modules/onnxruntime-node/script/install.js',
  },
  {
    name: 'dml',
    platforms: ['win32'],
    what: 'DirectML',
    help: 'it needs a GPU with a D3D12 driver',
  },
  { name: 'coreml', platforms: ['darwin'], what: 'CoreML', help: 'it needs macOS 12 or later' },
];

/** The values of the option `device`. */
export const DEVICES: readonly string[] = ['cpu', ...known.map(({ name }) => name)];

/** Whether an error of the runtime is about a missing device, not about a wrong program. */
export function isAboutDevice(error: unknown): boolean {
  return /AppendExecutionProvider|executionProviders|GPU adapter|providers_shared/.test(
    messageOf(error),
  );
}

/** Milliseconds that a device may take to answer. */
const PATIENCE = 60_000;

/** Tries every known device. */
export async function tryDevices(threads: number): Promise<readonly DeviceReport[]> {
  const cpu = await loadRuntime().then(
    (): DeviceReport => ({
      device: 'cpu',
      available: true,
      detail: `ONNX Runtime, ${threads} ${threads === 1 ? 'thread' : 'threads'}`,
    }),
    (error: unknown): DeviceReport => ({ device: 'cpu', available: false, detail: textOf(error) }),
  );
  return [cpu, ...(await Promise.all(known.map((device) => report(device))))];
}

async function report({ name, platforms, what, help }: Device): Promise<DeviceReport> {
  if (!platforms.includes(process.platform)) {
    return {
      device: name,
      available: false,
      detail: `${what} does not exist on ${process.platform}`,
    };
  }
  const problem = await tryInProcess(name);
  return {
    device: name,
    available: problem === undefined,
    detail: problem === undefined ? what : `${problem}; ${help}`,
  };
}

// Reads the model from stdin, runs it, and writes the problem, if any, to stdout.
const script = `
const [url, device, input, output] = process.argv.slice(1);
const chunks = [];
for await (const chunk of process.stdin) chunks.push(chunk);
try {
  const { default: ort } = await import(url);
  ort.env.logLevel = 'fatal';
  const options = { executionProviders: [device], logSeverityLevel: 4 };
  const session = await ort.InferenceSession.create(Buffer.concat(chunks), options);
  const results = await session.run({ [input]: new ort.Tensor('float32', Float32Array.of(1, 2), [2]) });
  const numbers = String(await results[output].getData());
  process.stdout.write(numbers === '2,4' ? 'works' : 'it computes wrong results');
} catch (error) {
  process.stdout.write(String(error?.message ?? error));
}
process.exit(0);
`;

/** Why a device does not work, or undefined. */
function tryInProcess(device: string): Promise<string | undefined> {
  return new Promise((resolve) => {
    const child = spawn(
      process.execPath,
      ['--input-type=module', '-e', script, runtimeUrl(), device, inputName('x'), outputName('y')],
      {
        stdio: ['pipe', 'pipe', 'ignore'],
        env: { ...process.env, ORT_DISABLE_TELEMETRY: '1', NODE_OPTIONS: '' },
        timeout: PATIENCE,
      },
    );
    let answer = '';
    child.stdout.setEncoding('utf8').on('data', (text: string) => {
      answer += text;
    });
    child.on('error', (error) => resolve(textOf(error)));
    child.on('close', (code, signal) =>
      resolve(
        answer === 'works'
          ? undefined
          : shorten(answer) || `the test ended with ${signal ?? `code ${code}`}`,
      ),
    );
    child.stdin.on('error', () => undefined).end(doubling());
  });
}

// The runtime's assertions begin with its own source path and function.
function shorten(message: string): string {
  return textOf(message)
    .replace(/^.*(was false\.|\[ONNXRuntimeError\] : \d+ : \w+ :)\s*/, '')
    .replace(/\.$/, '');
}

function doubling(): Uint8Array {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  graph.output('y', add(x, x));
  const lowerings = createLowerings();
  return compileModel(flatten(graph, lowerings), lowerings, 'device test').model;
}
