// Reads a checkpoint's generation_config.json, which has GenerationConfig's names (transformers
// 5.18) in snake case. What wins over it is in decoding-config.ts.
import type { GenerationOptions } from '@lmflow/sdk';

type Name = keyof GenerationOptions;

const NUMBERS: Readonly<Record<string, Name>> = {
  max_new_tokens: 'maxNewTokens',
  min_new_tokens: 'minNewTokens',
  temperature: 'temperature',
  top_k: 'topK',
  top_p: 'topP',
  min_p: 'minP',
  repetition_penalty: 'repetitionPenalty',
  no_repeat_ngram_size: 'noRepeatNgramSize',
  num_beams: 'numBeams',
  num_return_sequences: 'numReturnSequences',
  length_penalty: 'lengthPenalty',
};

/** Keys that change the answer and are not supported, with the value that changes nothing. */
const IGNORED: Readonly<Record<string, unknown>> = {
  typical_p: 1,
  epsilon_cutoff: 0,
  eta_cutoff: 0,
  top_h: undefined,
  encoder_repetition_penalty: 1,
  encoder_no_repeat_ngram_size: 0,
  bad_words_ids: undefined,
  force_words_ids: undefined,
  constraints: undefined,
  num_beam_groups: 1,
  diversity_penalty: 0,
  penalty_alpha: undefined,
  dola_layers: undefined,
  renormalize_logits: false,
  forced_bos_token_id: undefined,
  forced_eos_token_id: undefined,
  exponential_decay_length_penalty: undefined,
  suppress_tokens: undefined,
  begin_suppress_tokens: undefined,
  sequence_bias: undefined,
  token_healing: false,
  guidance_scale: 1,
  watermarking_config: undefined,
  max_time: undefined,
  low_memory: undefined,
};

/**
 * The options that a checkpoint sets. `max_length` includes the prompt; 20 was its default, so it
 * limits nothing.
 */
export function checkpointOptions(
  config: Readonly<Record<string, unknown>>,
  promptTokens: number,
): GenerationOptions {
  const options: Partial<Record<Name, unknown>> = {};
  for (const [key, name] of Object.entries(NUMBERS)) {
    if (typeof config[key] === 'number') options[name] = config[key];
  }
  if (typeof config['do_sample'] === 'boolean') options.doSample = config['do_sample'];
  if (typeof config['early_stopping'] === 'boolean' || config['early_stopping'] === 'never') {
    options.earlyStopping = config['early_stopping'];
  }
  const { max_length: longest, min_length: shortest, stop_strings: stop } = config;
  if (options.maxNewTokens === undefined && typeof longest === 'number' && longest !== 20) {
    options.maxNewTokens = Math.max(1, longest - promptTokens);
  }
  if (options.minNewTokens === undefined && typeof shortest === 'number' && shortest > 0) {
    options.minNewTokens = Math.max(0, shortest - promptTokens);
  }
  if (typeof stop === 'string') options.stop = [stop];
  else if (Array.isArray(stop)) {
    options.stop = stop.filter((text): text is string => typeof text === 'string' && text !== '');
  }
  return options as GenerationOptions;
}

/** Keys of a checkpoint that would change the answer and are not supported. */
export function ignoredKeys(config: Readonly<Record<string, unknown>>): string[] {
  return Object.keys(IGNORED).filter(
    (key) => config[key] !== undefined && config[key] !== null && config[key] !== IGNORED[key],
  );
}
