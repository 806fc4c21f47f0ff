// Every op of sdk/graph, with its gradient, on every device of this machine but the CPU, against
// the float64 interpreter.
import { suite } from 'uvu';
import { opChecks, opDeviations } from '@lmflow/sdk/testing';
import { OnnxEngine } from '../src/engine.ts';
import { createLowerings } from '../src/lowerings/index.ts';
import { schema } from '../src/options.ts';
import { tryDevices } from '../src/devices.ts';
import { useSoftwareGpu } from './software-gpu.ts';

/** As far as float32 goes in another order of summation. */
const USUAL = 1e-4;
/** Vulkan lets a driver's sine be off by 2^-11. */
const ALLOWED: Readonly<Record<string, number>> = { sin: 1e-3, cos: 1e-3 };

useSoftwareGpu();
const devices = suite('devices');
const there = (await tryDevices(2)).filter(
  ({ device, available }) => available && device !== 'cpu',
);
if (there.length === 0) {
  process.stdout.write('skipped: no device but the CPU is here\n');
  devices.skip('ops on other devices', () => undefined);
}

for (const { device } of there) {
  const engine = new OnnxEngine({
    options: schema.parse({ threads: 2 }),
    device,
    lowerings: createLowerings([], device),
  });
  for (const check of opChecks) {
    devices(`${device}: ${check.op.name}`, async () => {
      const [worst] = await opDeviations(engine, check, { gradients: true });
      if (worst!.size > (ALLOWED[check.op.name] ?? USUAL)) {
        throw new Error(`${worst!.what} is off by ${worst!.size.toExponential(1)}`);
      }
    });
  }
  devices.after(() => engine.dispose());
}
devices.run();
