// The numbers of a parameter, in memory or behind a storage. What keeps them (files, ranks) is a
// plugin's.
import { createHash } from 'node:crypto';
import { sizeOf } from '../graph/index.ts';
import { parameterStored } from './errors.ts';
import type { Parameter, ParameterStorage } from './parameter.ts';

/** A parameter whose numbers are behind a storage. Its `data` throws LMFLOW_PARAMETER_STORED. */
export function storedParameter(
  facts: Omit<Parameter, 'data' | 'storage'>,
  storage: ParameterStorage,
): Parameter {
  return {
    ...facts,
    storage,
    get data(): Float32Array {
      throw parameterStored(facts.name);
    },
  };
}

/** The numbers of a parameter: `data` itself, or a new array that its storage filled. */
export async function loadParameter(parameter: Parameter): Promise<Float32Array> {
  if (!parameter.storage) return parameter.data;
  const numbers = new Float32Array(sizeOf(parameter.shape));
  await parameter.storage.load(numbers);
  return numbers;
}

/**
 * Gives a parameter these numbers, as many as it has: into its storage or its `data`. Nothing is
 * copied where they are its `data`, changed in place.
 */
export async function storeParameter(parameter: Parameter, numbers: Float32Array): Promise<void> {
  if (parameter.storage) await parameter.storage.store(numbers);
  else if (numbers !== parameter.data) parameter.data.set(numbers);
}

/** A short hash of the numbers of each trainable parameter, by name. */
export async function parameterHashes({
  parameters,
}: {
  readonly parameters: ReadonlyMap<string, Parameter>;
}): Promise<Record<string, string>> {
  const hashes: Record<string, string> = {};
  for (const [name, parameter] of parameters) {
    const { buffer, byteOffset, byteLength } = await loadParameter(parameter);
    hashes[name] = createHash('sha256')
      .update(new Uint8Array(buffer, byteOffset, byteLength))
      .digest('hex')
      .slice(0, 16);
  }
  return hashes;
}
