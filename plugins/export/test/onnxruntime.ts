// Runs an exported ONNX model as transformers.js does, by ONNX Runtime alone: greedy decoding with
// the cache fed back, batches padded on the left.
import { readFileSync } from 'node:fs';
import { join } from 'node:path';
import * as ort from 'onnxruntime-node';

const int64 = (numbers: readonly number[], dims: readonly number[]): ort.Tensor =>
  new ort.Tensor('int64', BigInt64Array.from(numbers, BigInt), dims);

/** A session of a folder's model. */
export async function openModel(
  folder: string,
  file = 'model.onnx',
): Promise<ort.InferenceSession> {
  return ort.InferenceSession.create(join(folder, 'onnx', file), {
    intraOpNumThreads: 1,
    logSeverityLevel: 4,
  });
}

export interface Step {
  readonly logits: ort.Tensor;
  readonly cache: Record<string, ort.Tensor>;
}

/**
 * One run of some tokens of each row after `cache`; 0 at the left of `mask` is padding. `kept` is
 * how many tokens get logits, 0 for all.
 */
export async function step(
  session: ort.InferenceSession,
  tokens: readonly (readonly number[])[],
  mask: readonly (readonly number[])[],
  cache: Record<string, ort.Tensor> | undefined,
  kept = 1,
): Promise<Step> {
  const [batch, length, total] = [tokens.length, tokens[0]!.length, mask[0]!.length];
  const positions = mask.flatMap((row) =>
    row
      .map((here, place) => (here ? row.slice(0, place).reduce((a, b) => a + b, 0) : 1))
      .slice(-length),
  );
  const feeds: Record<string, ort.Tensor> = {
    input_ids: int64(tokens.flat(), [batch, length]),
    attention_mask: int64(mask.flat(), [batch, total]),
    position_ids: int64(positions, [batch, length]),
    num_logits_to_keep: int64([kept], []),
    ...cache,
  };
  if (!cache) {
    for (const meta of session.inputMetadata) {
      if (!meta.name.startsWith('past_key_values.') || !meta.isTensor) continue;
      const dims = meta.shape.map((size) =>
        size === 'batch_size' ? batch : typeof size === 'number' ? size : 0,
      );
      feeds[meta.name] = new ort.Tensor('float32', new Float32Array(0), dims);
    }
  }
  const { logits, ...present } = await session.run(feeds);
  return {
    logits: logits!,
    cache: Object.fromEntries(
      Object.entries(present).map(([name, tensor]) => [
        name.replace('present', 'past_key_values'),
        tensor,
      ]),
    ),
  };
}

/** Greedy tokens after each prompt, all in one batch. */
export async function greedy(
  session: ort.InferenceSession,
  prompts: readonly (readonly number[])[],
  count: number,
): Promise<number[][]> {
  const longest = Math.max(...prompts.map(({ length }) => length));
  const padding = (length: number): number[] => new Array<number>(longest - length).fill(0);
  const mask = prompts.map((prompt) => [...padding(prompt.length), ...prompt.map(() => 1)]);
  const found: number[][] = prompts.map(() => []);
  let tokens = prompts.map((prompt) => [...padding(prompt.length), ...prompt]);
  let cache: Step['cache'] | undefined;
  for (let made = 0; made < count; made++) {
    const result = await step(session, tokens, mask, cache);
    cache = result.cache;
    const width = result.logits.dims.at(-1)!;
    const numbers = result.logits.data as Float32Array;
    tokens = prompts.map((_, row) => {
      const logits = numbers.subarray(row * width, (row + 1) * width);
      return [logits.indexOf(logits.reduce((a, b) => Math.max(a, b)))];
    });
    tokens.forEach(([token], row) => {
      found[row]!.push(token!);
      mask[row]!.push(1);
    });
  }
  return found;
}

export interface Case {
  readonly prompt: number[];
  readonly ids: number[];
}

/** transformers' greedy tokens of each fixture family. */
export const cases = (
  JSON.parse(
    readFileSync(
      join(import.meta.dirname, '..', '..', 'generate', 'test', 'fixtures', 'generation.json'),
      'utf8',
    ),
  ) as { greedy: Record<string, Case[]> }
).greedy;
