// Lets the model answer prompts, by the rules of lm-evaluation-harness: what does not fit beside the
// answer loses its beginning, the answer ends before a stop string and is decoded by itself.
import type { TextGenerator } from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { textUnfit } from './errors.ts';
import { textIds } from './token-rows.ts';
import type { GenerateTask } from './task-file.ts';

/** How the answers are written. */
export type Generation = GenerateTask['generation'] & {
  readonly until: readonly string[];
  /** Tokens that end an answer; by default the model's. */
  readonly eosTokenId?: readonly number[];
};

/** What answers a prompt. */
export interface Answering {
  readonly model: Model;
  readonly generator: TextGenerator;
  readonly generation: Generation;
  /** Answers to each prompt. */
  readonly repeats: number;
  readonly signal: AbortSignal;
}

/** The answers to one prompt. */
export interface Answers {
  readonly texts: readonly string[];
  /** Whether the beginning of the prompt was cut. */
  readonly cut: boolean;
}

/** The tokens of a text that is a prompt. Throws LMFLOW_EVALUATE_TOKENS. */
export function promptIds(
  model: Model,
  generator: TextGenerator,
  { text, maxNewTokens }: { readonly text: string; readonly maxNewTokens: number },
): { readonly ids: Int32Array; readonly cut: boolean } {
  const room = generator.defaults(model).contextLength - maxNewTokens;
  if (room < 1) {
    throw textUnfit(
      model.source,
      `answers of ${maxNewTokens} tokens leave no room for a prompt in its context`,
    );
  }
  const ids = Int32Array.from(textIds(model, text));
  return { ids: ids.slice(-room), cut: ids.length > room };
}

/** Answers a prompt. `seed` is for answers that are drawn. */
export async function answer(
  prompt: Int32Array,
  seed: number,
  { model, generator, generation, repeats, signal }: Answering,
): Promise<string[]> {
  const { until, ...options } = generation;
  const results = await generator.inference({
    model,
    prompt,
    signal,
    options: {
      ...options,
      ...(options.doSample ? { seed } : {}),
      numReturnSequences: options.doSample ? repeats : 1,
      stop: until,
    },
  });
  signal.throwIfAborted();
  const texts = results.map(({ text, ids }) => {
    const [first] = ids;
    const isJoined = text.startsWith(' ') && first !== undefined;
    // by itself: tokenizers that begin words with a space leave out that of the first one
    const own = isJoined ? model.tokenizer.decode([first], { skipSpecialTokens: true }) : ' ';
    return own.startsWith(' ') ? text : text.slice(1);
  });
  // greedy answers are all the same
  return Array.from({ length: repeats }, (_, at) => texts[at] ?? texts[0]!);
}
