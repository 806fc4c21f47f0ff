// Which adapter a model is loaded with: the request's, or the configuration's.
import type { ModelRequest } from '../model/services.ts';
import { readAdapterConfig } from './folder.ts';

/**
 * The folder of the adapter that the plugin of a method (`LORA`, PEFT's peft_type) gives a model:
 * `configured`, unless the request names an adapter, which may be another method's, or none. Throws
 * LMFLOW_ADAPTER_NOT_FOUND and _INVALID for a requested folder.
 */
export async function requestedAdapter(
  method: string,
  { settings }: ModelRequest,
  configured: string | undefined,
): Promise<string | undefined> {
  const adapter = settings?.adapter;
  if (adapter === undefined) return configured;
  if (adapter === false) return undefined;
  const { peft_type: type } = await readAdapterConfig(adapter);
  return type === method ? adapter : undefined;
}
