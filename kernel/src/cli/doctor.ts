// `lmflow doctor`: what works here, what is missing, and how to get it. Works without plugins, and
// with a broken configuration.
import { existsSync } from 'node:fs';
import { statfs } from 'node:fs/promises';
import { availableParallelism, cpus, freemem, totalmem } from 'node:os';
import { dirname, resolve } from 'node:path';
import { ENGINE, isLMFlowError, messageOf, type DoctorCheck, type Logger } from '@lmflow/sdk';
import satisfies from 'semver/functions/satisfies.js';
import { pad, widest } from '../columns.ts';
import type { Kernel } from '../kernel.ts';
import { kernelVersion, sdkVersion } from '../versions.ts';
import { sdkCopies } from './sdk-copies.ts';

const nodeRange = '>=20.19';

/** Every check. `failure` is what loading or configuring threw. */
export async function examine(
  kernel: Kernel | undefined,
  failure: unknown,
  cwd: string,
): Promise<DoctorCheck[]> {
  const checks: DoctorCheck[] = [
    ...machine(),
    await disk(kernel, cwd),
    configuration(kernel, failure),
    ...sdkCopies(kernel?.plugins.map(({ name }) => name) ?? [], cwd),
  ];
  if (!kernel || kernel.state !== 'configured') return checks;
  checks.push(...(await engine(kernel)));
  try {
    await kernel.hooks.onDoctor.promise(checks);
  } catch (error) {
    checks.push({ subject: 'plugins', status: 'problem', detail: messageOf(error) });
  }
  return checks;
}

/** Prints checks with their remedies. */
export function printChecks(checks: readonly DoctorCheck[], log: Logger): void {
  const marks = { ok: 'ok', info: '-', warning: '!', problem: 'x' } as const;
  const width = widest(checks.map(({ subject }) => subject));
  for (const { subject, status, detail, remedy } of checks) {
    log.info(`${marks[status].padEnd(2)}  ${pad(subject, width)}  ${detail}`);
    if (remedy !== undefined) log.info(`${' '.repeat(width + 6)}-> ${remedy}`);
  }
}

function machine(): DoctorCheck[] {
  const recent = satisfies(process.versions.node, nodeRange, { includePrerelease: true });
  const free = freemem();
  return [
    { subject: 'lmflow', status: 'ok', detail: `${kernelVersion}, @lmflow/sdk ${sdkVersion}` },
    {
      subject: 'node',
      status: recent ? 'ok' : 'problem',
      detail: `${process.versions.node} on ${process.platform} ${process.arch}`,
      ...(recent ? {} : { remedy: `Install Node ${nodeRange}.` }),
    },
    {
      subject: 'processor',
      status: 'info',
      detail: `${availableParallelism()} cores${cpus()[0] ? `, ${cpus()[0]!.model.trim()}` : ''}`,
    },
    {
      subject: 'memory',
      status: free < 1e9 ? 'warning' : 'ok',
      detail: `${gigabytes(free)} free of ${gigabytes(totalmem())}`,
      ...(free < 1e9 ? { remedy: 'Close other programs, or take a smaller model.' } : {}),
    },
  ];
}

async function disk(kernel: Kernel | undefined, cwd: string): Promise<DoctorCheck> {
  const outputDir = kernel?.state === 'configured' ? kernel.config.outputDir : undefined;
  let folder = resolve(cwd, outputDir ?? '.');
  while (!existsSync(folder) && dirname(folder) !== folder) folder = dirname(folder);
  const subject = outputDir === undefined ? 'disk of this folder' : 'disk of outputDir';
  try {
    const { bavail, bsize } = await statfs(folder);
    const free = bavail * bsize;
    return free < 1e9
      ? {
          subject,
          status: 'warning',
          detail: `${gigabytes(free)} free at ${folder}`,
          remedy: 'Free some space, or set outputDir to another disk.',
        }
      : { subject, status: 'ok', detail: `${gigabytes(free)} free at ${folder}` };
  } catch (error) {
    return { subject, status: 'warning', detail: messageOf(error) };
  }
}

function configuration(kernel: Kernel | undefined, failure: unknown): DoctorCheck {
  const subject = 'configuration';
  if (failure !== undefined) {
    const remedy = isLMFlowError(failure) ? failure.hint : undefined;
    return {
      subject,
      status: 'problem',
      detail: `${isLMFlowError(failure) ? `${failure.code}: ` : ''}${messageOf(failure)}`,
      ...(remedy === undefined ? {} : { remedy }),
    };
  }
  const loaded = kernel?.plugins.length ?? 0;
  if (loaded === 0) {
    return {
      subject,
      status: 'problem',
      detail: 'no config file, and nothing is loaded',
      remedy:
        'Run lmflow init, or name a preset: lmflow doctor --preset lora (npm install @lmflow/preset-lora).',
    };
  }
  return {
    subject,
    status: 'ok',
    detail: `${kernel?.configFile ?? 'no config file'}, ${loaded} plugins`,
  };
}

async function engine(kernel: Kernel): Promise<DoctorCheck[]> {
  if (!kernel.has(ENGINE)) {
    return [
      {
        subject: 'engine',
        status: 'problem',
        detail: 'no plugin provides one',
        remedy: `Run npm install ${ENGINE.usuallyFrom} and list it in plugins.`,
      },
    ];
  }
  try {
    const instance = kernel.resolve(ENGINE);
    const devices = await instance.devices();
    return devices.map(({ device, available, detail }) => {
      const chosen = device === instance.device;
      const missing = chosen ? 'problem' : 'info';
      const state = `${available ? 'works' : 'not available'}${chosen ? ' (in use)' : ''}`;
      return {
        subject: `${instance.name}: ${device}`,
        status: available ? 'ok' : missing,
        detail: detail === '' ? state : `${state}: ${detail}`,
      };
    });
  } catch (error) {
    const remedy = isLMFlowError(error) ? error.hint : undefined;
    return [
      {
        subject: 'engine',
        status: 'problem',
        detail: messageOf(error),
        ...(remedy === undefined ? {} : { remedy }),
      },
    ];
  }
}

function gigabytes(bytes: number): string {
  return `${(bytes / 1e9).toFixed(1)} GB`;
}
