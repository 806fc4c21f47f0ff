// The plugin's configuration keys: those that the environment variables of Hugging Face do not have.
import { z } from 'zod';

export const hubOptions = z.object({
  cacheDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of downloads (default: HF_HUB_CACHE, else hub in HF_HOME, else ~/.cache/huggingface/hub).',
    ),
  localFilesOnly: z
    .boolean()
    .default(false)
    .describe(
      'Never use the network: take models and data sets from the cache (also HF_HUB_OFFLINE=1).',
    ),
});

export type HubOptions = z.output<typeof hubOptions>;

export const aliases = { hubCacheDir: 'cacheDir' } as const;

const tokenReason =
  'secrets do not belong in a configuration; set the environment variable HF_TOKEN, or log in (hf auth login)';

export const unsupported: Readonly<Record<string, string>> = {
  hfToken: tokenReason,
  token: tokenReason,
  useAuthToken: tokenReason,
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    cacheDir?: string;
    localFilesOnly?: boolean;
  }
}
