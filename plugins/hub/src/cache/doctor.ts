// What `lmflow doctor` shows of the caches.
import type { DoctorCheck } from '@lmflow/sdk';
import { cacheRoot } from '@lmflow/sdk/files';
import { sizeText } from '../size-text.ts';
import { bytesOf, cachePart, cacheParts } from './parts.ts';

/** Where the caches are and how large they are. */
export async function cacheChecks(hubFolder: string): Promise<DoctorCheck[]> {
  const own = (await cacheParts()).flatMap(({ entries }) => entries);
  const { entries } = await cachePart('hub', hubFolder);
  return [
    { subject: 'cache', status: 'info', detail: `${sizeText(bytesOf(own))} in ${cacheRoot()}` },
    { subject: 'hub', status: 'info', detail: `${sizeText(bytesOf(entries))} in ${hubFolder}` },
  ];
}
