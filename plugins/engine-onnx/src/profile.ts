// Reads the profile that the runtime writes and sums it by our ops, our regions and the runtime's
// kernels.
import { mkdtempSync } from 'node:fs';
import { readdir, readFile, rm } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Profile, ProfileRow } from '@lmflow/sdk';
import type { Origin } from './flat-graph.ts';

/** One event of the profile; node events carry `args.op_name`, durations are microseconds. */
interface TraceEvent {
  readonly cat?: string;
  readonly name?: string;
  readonly dur?: number;
  readonly args?: Readonly<Record<string, unknown>>;
}

/** A folder for one program's profile. */
export class ProfileFolder {
  readonly #folder = mkdtempSync(join(tmpdir(), 'lmflow-profile-'));

  /** The beginning of the file's name, for the runtime. */
  get prefix(): string {
    return join(this.#folder, 'profile');
  }

  /**
   * Sums the events of the finished profile and removes it. `origins` are the graph's nodes by
   * name.
   */
  async read(origins: ReadonlyMap<string, Origin>): Promise<Profile> {
    const [file] = await readdir(this.#folder);
    const events = file
      ? (JSON.parse(await readFile(join(this.#folder, file), 'utf8')) as TraceEvent[])
      : [];
    await this.remove();
    return summarise(events, origins);
  }

  async remove(): Promise<void> {
    await rm(this.#folder, { recursive: true, force: true });
  }
}

/** Sums kernel times; a kernel that the runtime adds itself counts under the runtime's name. */
function summarise(events: readonly TraceEvent[], origins: ReadonlyMap<string, Origin>): Profile {
  const sums = {
    ops: new Map<string, ProfileRow>(),
    regions: new Map<string, ProfileRow>(),
    kernels: new Map<string, ProfileRow>(),
  };
  for (const { cat, name, dur, args } of events) {
    const kernel = args?.['op_name'];
    if (
      cat !== 'Node' ||
      typeof kernel !== 'string' ||
      !name?.endsWith('_kernel_time') ||
      dur === undefined
    ) {
      continue;
    }
    const origin = origins.get(name.split('#', 1)[0]!);
    count(sums.kernels, kernel, dur);
    count(sums.ops, origin?.op ?? `(${kernel})`, dur);
    count(sums.regions, origin?.region ?? '(runtime)', dur);
  }
  return { ops: ranked(sums.ops), regions: ranked(sums.regions), kernels: ranked(sums.kernels) };
}

function count(rows: Map<string, ProfileRow>, name: string, microseconds: number): void {
  const row = rows.get(name);
  rows.set(name, {
    name,
    seconds: (row?.seconds ?? 0) + microseconds / 1e6,
    count: (row?.count ?? 0) + 1,
  });
}

function ranked(rows: ReadonlyMap<string, ProfileRow>): ProfileRow[] {
  return [...rows.values()].sort((a, b) => b.seconds - a.seconds);
}
