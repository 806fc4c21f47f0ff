// Answers drawn from a model, also one in training, by the one generator. Requests that run at the same
// time are decoded together, so that one request a prompt is continuous batching.
import { setMaxListeners } from 'node:events';
import {
  randomStream,
  type DrawRequest,
  type DrawSettings,
  type GenerationOptions,
  type Rollout,
  type TextGenerator,
} from '@lmflow/sdk';

/** The answers of a request, prompt by prompt. */
export async function drawAnswers(
  { model, prompts, settings, seed, round, signal, progress }: DrawRequest,
  generator: TextGenerator,
): Promise<Rollout[]> {
  signal?.throwIfAborted();
  const failure = new AbortController();
  const stopping = signal ? AbortSignal.any([signal, failure.signal]) : failure.signal;
  setMaxListeners(0, stopping); // one for each prompt
  const options = drawingOptions(settings);
  let done = 0;
  const answersTo = async (id: string, ids: Int32Array, prompt: number): Promise<Rollout[]> => {
    const own = randomStream(seed, 'rollout', round, id).bits(0);
    const results = await generator.inference({
      model,
      prompt: ids,
      signal: stopping,
      options: { ...options, seed: own, ...(model.eosIds ? { eosTokenId: model.eosIds } : {}) },
    });
    done += results.length;
    progress?.(done);
    return results.map(({ tokens, text, ids: answer, finishReason }, index) => ({
      prompt,
      index,
      ids: answer,
      text,
      ended: finishReason === 'stop',
      logprobs: Float64Array.from(tokens, ({ logprob }) => logprob!),
      drawnLogprobs: Float64Array.from(tokens, ({ drawnLogprob }) => drawnLogprob!),
      seed: own,
    }));
  };
  try {
    const groups = await Promise.all(
      prompts.map(({ id, ids }, index) => answersTo(id, ids, index)),
    );
    signal?.throwIfAborted();
    return groups.flat();
  } finally {
    // where one failed, the others end too
    failure.abort();
  }
}

/** Every option that changes a text, so that the section `generate` and the checkpoint have no say. */
function drawingOptions({
  numGenerations,
  maxNewTokens,
  minNewTokens = 0,
  temperature = 1,
  topK = 0,
  topP = 1,
  minP = 0,
  repetitionPenalty = 1,
}: DrawSettings): GenerationOptions {
  return {
    numReturnSequences: numGenerations,
    maxNewTokens,
    minNewTokens,
    doSample: temperature > 0,
    temperature,
    topK,
    topP,
    minP,
    repetitionPenalty,
    presencePenalty: 0,
    frequencyPenalty: 0,
    noRepeatNgramSize: 0,
    numBeams: 1,
    logitBias: {},
    stop: [],
    skipSpecialTokens: true,
    truncation: 'error',
    logprobs: 0,
    drawnLogprobs: true,
  };
}
