// Which devices work here: a tiny program is run on each, and the reason is kept where it fails.
import { Graph, add } from '@lmflow/sdk/graph';
import type { DeviceReport } from '@lmflow/sdk';
import { compileModel } from './compile.ts';
import { textOf } from './errors.ts';
import { flatten } from './flatten.ts';
import { createLowerings } from './lowerings/index.ts';
import { loadRuntime, type Runtime } from './runtime.ts';
import { createSession, type SessionSettings } from './session.ts';

interface Device { readonly name: string; readonly platforms?: readonly NodeJS.Platform[]; readonly what: string; readonly help: string }

/** Devices by the runtime's names. */
const known: readonly Device[] = [
  { name: 'cpu', what: '', help: 'install onnxruntime-node' },
  { name: 'webgpu', what: 'WebGPU (Vulkan, Metal or D3D12)', help: 'needs a GPU with a Vulkan, Metal or D3D12 driver' },
  { name: 'cuda', platforms: ['linux', 'win32'], what: 'NVIDIA CUDA', help: 'on Linux x64: ONNXRUNTIME_NODE_INSTALL=cuda12 node node_modules/onnxruntime-node/script/install.js' },
  { name: 'dml', platforms: ['win32'], what: 'DirectML', help: 'needs a GPU with a D3D12 driver' },
  { name: 'coreml', platforms: ['darwin'], what: 'CoreML', help: '' },
];

/** Names that `device` takes. */
export const DEVICES: readonly string[] = known.map(({ name }) => name);

/** Tries every known device. */
export async function tryDevices(settings: SessionSettings): Promise<readonly DeviceReport[]> {
  const runtime = await loadRuntime();
  const reports: DeviceReport[] = [];
  for (const device of known) reports.push(await report(runtime, device, settings));
  return reports;
}

async function report(runtime: Runtime, device: Device, settings: SessionSettings): Promise<DeviceReport> {
  const { name, platforms, what, help } = device;
  if (platforms && !platforms.includes(process.platform)) return { device: name, available: false, detail: `${what} is not for ${process.platform}` };
  try {
    await tryDevice(runtime, { ...settings, device: name, logLevel: 'fatal' });
    return { device: name, available: true, detail: name === 'cpu' ? `ONNX Runtime, ${settings.threads} threads` : what };
  } catch (error) {
    return { device: name, available: false, detail: [textOf(error), help].filter(Boolean).join('; ') };
  }
}

async function tryDevice(runtime: Runtime, settings: SessionSettings): Promise<void> {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [2]);
  graph.output('y', add(x, x));
  const lowerings = createLowerings();
  const { model } = compileModel(flatten(graph, lowerings), lowerings, 'device test');
  const session = await createSession(runtime, model, settings);
  try {
    const { y } = await session.run({ x: new runtime.Tensor('float32', Float32Array.of(1, 2), [2]) });
    if (String(await y!.getData()) !== '2,4') throw new Error('the device computes wrong results');
  } finally {
    await session.release();
  }
}
