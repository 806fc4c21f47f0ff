// Tries an exported ONNX file: ONNX Runtime loads it and decodes a few tokens, as transformers.js
// would. Whether its numbers are the model's is the tests' business.
import { messageOf } from '@lmflow/sdk';
import type { PortableInput, PortableSessionOpener } from '@lmflow/plugin-engine-onnx';
import { onnxNotRun } from '../errors.ts';

/** Tokens that are decoded, one after the other. */
const TOKENS = 3;

export interface Trial {
  /** The ONNX file. */
  readonly path: string;
  readonly open: PortableSessionOpener;
  /** The first token. */
  readonly token: number;
  /** Longest context of the file, in tokens. */
  readonly contextLength: number;
}

/** Throws LMFLOW_ONNX_NOT_RUN where the file cannot be loaded, run, or gives numbers that are none. */
export async function tryOnnx({ path, open, token, contextLength }: Trial): Promise<void> {
  try {
    const session = await open(path);
    try {
      const cache = new Map<string, PortableInput>();
      for (const [name, shape] of session.inputs) {
        if (!name.startsWith('past_key_values.')) continue;
        const [, heads, , width] = shape as number[];
        cache.set(name, { dtype: 'float32', shape: [1, heads!, 0, width!], data: [] });
      }
      let next = token;
      for (let past = 0; past < Math.min(TOKENS, contextLength); past++) {
        const int64 = (data: number[], shape: number[]): PortableInput => ({
          dtype: 'int64',
          shape,
          data,
        });
        const outputs = await session.run(
          new Map([
            ['input_ids', int64([next], [1, 1])],
            ['attention_mask', int64(new Array<number>(past + 1).fill(1), [1, past + 1])],
            ['position_ids', int64([past], [1, 1])],
            ['num_logits_to_keep', int64([1], [])],
            ...cache,
          ]),
        );
        for (const name of cache.keys()) {
          const present = outputs.get(name.replace('past_key_values', 'present'))!;
          cache.set(name, { dtype: 'float32', ...present });
        }
        const { data: logits } = outputs.get('logits')!;
        if (!logits.every(Number.isFinite)) throw new Error('its logits are not finite');
        next = logits.indexOf(logits.reduce((most, logit) => Math.max(most, logit)));
      }
    } finally {
      await session.dispose();
    }
  } catch (error) {
    throw onnxNotRun(path, messageOf(error), error);
  }
}
