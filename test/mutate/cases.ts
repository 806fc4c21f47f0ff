// What the kinds of malformed inputs share: files broken in place, and a model that is used.
import { mkdirSync, readFileSync, writeFileSync } from 'node:fs';
import { join } from 'node:path';
import { createTestKernel, type TestKernelOptions } from 'lmflow/testing';
import inference from '@lmflow/preset-inference';
import { GENERATOR, MODELS, type ChatMessage, type Pluggable, type UserConfig } from '@lmflow/sdk';
import { writeSafetensors } from '@lmflow/sdk/formats';
import { changeBytes, changeJson, changeJsonText, type Dice } from './mutations.ts';

/** Each breaks an input in a folder of its own, which is not there yet, and uses it. */
export type Kinds = Readonly<Record<string, (dice: Dice, folder: string) => Promise<unknown>>>;

/** Changes the members or bytes of a JSON file. */
export function breakJson(file: string, dice: Dice): void {
  writeFileSync(file, changeJsonText(readFileSync(file, 'utf8'), dice));
}

/** Changes the bytes of a file. */
export function breakBytes(file: string, dice: Dice): void {
  writeFileSync(file, changeBytes(readFileSync(file), dice));
}

/** Changes the bytes of a safetensors file, or the members of its header. */
export function breakTensors(file: string, dice: Dice): void {
  if (dice.below(2)) return breakBytes(file, dice);
  const bytes = readFileSync(file);
  const length = Number(bytes.readBigUInt64LE());
  const header = changeJson(JSON.parse(bytes.toString('utf8', 8, 8 + length)), dice);
  const text = Buffer.from(JSON.stringify(header) ?? '');
  const prefix = Buffer.alloc(8);
  prefix.writeBigUInt64LE(BigInt(text.length));
  writeFileSync(file, Buffer.concat([prefix, text, bytes.subarray(8 + length)]));
}

/** Two tokens of a model, with greedy decoding. */
export async function generate(
  source: string,
  {
    config = {},
    plugins = [],
    prompt = 't3 t4',
  }: {
    readonly config?: UserConfig;
    readonly plugins?: readonly Pluggable[];
    readonly prompt?: string | ChatMessage[];
  } = {},
): Promise<void> {
  const { kernel } = await createTestKernel({ presets: [inference], plugins, config });
  try {
    const request = { role: 'policy', purpose: 'inference', source } as const;
    const loaded = await kernel.resolve(MODELS).load(request);
    const options = { maxNewTokens: 2, doSample: false };
    await kernel.resolve(GENERATOR).inference({ model: loaded, prompt, options });
  } finally {
    await kernel.close();
  }
}

/** Writes a whole adapter of the method that is loaded. */
export async function makeAdapter(
  model: string,
  folder: string,
  { presets, plugins, config }: Omit<TestKernelOptions, 'flags' | 'cwd'>,
): Promise<void> {
  const seeded = { seed: 1, ...config };
  const { kernel } = await createTestKernel({ presets, plugins, config: seeded });
  const request = { role: 'policy', purpose: 'training', source: model } as const;
  const loaded = await kernel.resolve(MODELS).load(request);
  const { config: settings, tensors } = loaded.adapter!.save();
  mkdirSync(folder);
  writeFileSync(join(folder, 'adapter_config.json'), JSON.stringify(settings));
  await writeSafetensors(join(folder, 'adapter_model.safetensors'), tensors);
  await kernel.close();
}
