// What a verdict depends on beside the program: the machine and its graphics drivers, as far as
// files and variables show them without a call of a driver.
import { readdir, readFile, stat } from 'node:fs/promises';
import { arch, cpus, hostname, platform, release } from 'node:os';
import { dirname, join, resolve } from 'node:path';

/** Variables that choose a driver or a device. */
const CHOOSING = [
  'VK_DRIVER_FILES',
  'VK_ICD_FILENAMES',
  'VK_ADD_DRIVER_FILES',
  'CUDA_VISIBLE_DEVICES',
] as const;

const MANIFESTS = ['/usr/share', '/usr/local/share', '/etc'].map((folder) =>
  join(folder, 'vulkan/icd.d'),
);
const LIBRARIES = [
  '/usr/lib',
  '/usr/lib64',
  '/usr/lib/x86_64-linux-gnu',
  '/usr/lib/aarch64-linux-gnu',
];

/** Texts that change when the machine, its system or a driver does. */
export async function machineFacts(): Promise<readonly string[]> {
  return [
    hostname(),
    platform(),
    arch(),
    release(),
    cpus()[0]?.model ?? '',
    ...CHOOSING.map((name) => process.env[name] ?? ''),
    ...(await driverFacts()),
  ];
}

// On macOS drivers come with the system.
async function driverFacts(): Promise<readonly string[]> {
  if (platform() === 'win32') {
    const root = process.env['SystemRoot'] ?? 'C:\\Windows';
    return namesIn(join(root, 'System32', 'DriverStore', 'FileRepository'));
  }
  if (platform() !== 'linux') return [];
  const named = (process.env['VK_DRIVER_FILES'] ?? process.env['VK_ICD_FILENAMES'])?.split(':');
  const found = await Promise.all(
    MANIFESTS.map(async (folder) => (await namesIn(folder)).map((name) => join(folder, name))),
  );
  const facts = await Promise.all((named ?? found.flat()).map(vulkanDriver));
  return [...facts.flat(), await textOf('/proc/driver/nvidia/version')];
}

/** The manifest of a Vulkan driver, and the version of its library by size and time. */
async function vulkanDriver(manifest: string): Promise<readonly string[]> {
  const text = await textOf(manifest);
  const library = /"library_path"\s*:\s*"([^"]*)"/.exec(text)?.[1] ?? '';
  const places = library.includes('/')
    ? [resolve(dirname(manifest), library)]
    : LIBRARIES.map((folder) => join(folder, library));
  return [text, ...(await Promise.all(places.map(versionOf)))];
}

async function versionOf(path: string): Promise<string> {
  const known = await stat(path).catch(() => undefined);
  return known ? `${path} ${known.size} ${known.mtimeMs}` : '';
}

async function namesIn(folder: string): Promise<readonly string[]> {
  return (await readdir(folder).catch(() => [])).sort();
}

async function textOf(path: string): Promise<string> {
  return readFile(path, 'utf8').catch(() => '');
}
