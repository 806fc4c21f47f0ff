// The plugin's configuration keys. The model itself is the core key `model`.
import { z } from 'zod';

export const modelOptions = z.object({
  revision: z
    .string()
    .min(1)
    .optional()
    .describe('Branch, tag or commit of a Hugging Face model (default main)'),
  cacheDir: z
    .string()
    .min(1)
    .optional()
    .describe(
      'Folder of downloaded models (default HF_HUB_CACHE, then HF_HOME/hub, then ~/.cache/huggingface/hub)',
    ),
  localFilesOnly: z
    .boolean()
    .default(false)
    .describe('Never use the network: take models from the cache (also HF_HUB_OFFLINE=1)'),
  fromScratch: z
    .boolean()
    .default(false)
    .describe(
      'Train from random weights (by seed): the model folder needs only config.json and tokenizer files',
    ),
});

export type ModelOptions = z.output<typeof modelOptions>;

export const aliases = {
  trainFromScratch: 'fromScratch',
  modelRevision: 'revision',
  hubCacheDir: 'cacheDir',
} as const;

const dtypeReason =
  'weights are read in whatever type the checkpoint has, and everything is computed in float32';
const tokenReason =
  'secrets do not belong in a configuration; set the environment variable HF_TOKEN';

export const unsupported: Readonly<Record<string, string>> = {
  trustRemoteCode:
    "code in a model's repository is Python and is never run; a family that is missing can be added by a plugin (MODEL_FAMILIES)",
  torchDtype: dtypeReason,
  dtype: dtypeReason,
  hfToken: tokenReason,
  token: tokenReason,
  useAuthToken: tokenReason,
  useFastTokenizer: 'there is one tokenizer, that of tokenizer.json',
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    revision?: string;
    cacheDir?: string;
    localFilesOnly?: boolean;
    fromScratch?: boolean;
  }
}
