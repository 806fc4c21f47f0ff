// Hugging Face's environment variables, with the names and meanings of its libraries.
import { homedir } from 'node:os';
import { join, resolve } from 'node:path';
import type { HubRequest } from '@lmflow/sdk';
import { readWhole } from '@lmflow/sdk/files';

const env = (name: string): string | undefined => process.env[name] || undefined;
const on = (name: string): boolean => /^(1|true|yes|on)$/i.test(process.env[name] ?? '');

/** Address of the hub, without a slash at its end. */
export function hubEndpoint(): string {
  return (env('HF_ENDPOINT') ?? 'https://huggingface.co').replace(/\/+$/, '');
}

function hubHome(): string {
  return env('HF_HOME') ?? join(env('XDG_CACHE_HOME') ?? join(homedir(), '.cache'), 'huggingface');
}

/** The folder of downloads, `cacheDir` or the one that Hugging Face's libraries share. */
export function hubCacheFolder(cacheDir?: string): string {
  return resolve(
    cacheDir ?? env('HF_HUB_CACHE') ?? env('HUGGINGFACE_HUB_CACHE') ?? join(hubHome(), 'hub'),
  );
}

/** The variable that forbids the network, or undefined. */
export function offlineVariable(kind: HubRequest['kind']): string | undefined {
  const library = kind === 'model' ? 'TRANSFORMERS_OFFLINE' : 'HF_DATASETS_OFFLINE';
  return ['HF_HUB_OFFLINE', library].find(on);
}

/** The access token: HF_TOKEN, or what `hf auth login` stored. */
export async function hubToken(): Promise<string | undefined> {
  const token = env('HF_TOKEN') ?? env('HUGGING_FACE_HUB_TOKEN');
  if (token !== undefined || on('HF_HUB_DISABLE_IMPLICIT_TOKEN')) return token?.trim();
  const stored = await readWhole(env('HF_TOKEN_PATH') ?? join(hubHome(), 'token')).catch(() => '');
  return stored.trim() || undefined;
}
