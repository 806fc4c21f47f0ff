// Beam search as transformers 5.18 does it (GenerationMixin._beam_search): decides from logits which
// beams continue and which end. It runs no model.
import { logSumExp } from '@lmflow/sdk/model';
import type { Choice } from '../sampling/chooser.ts';
import type { LogitsProcessor } from '../sampling/processor.ts';
import { applyRules, historyOf } from '../sampling/rules.ts';
import { likeliest } from '../sampling/scores.ts';
import type { DecodingConfig } from '../decoding-config.ts';

/** A candidate answer. */
export interface Beam {
  readonly ids: readonly number[];
  readonly choices: readonly Choice[];
  /** Sum of log-probabilities; once the beam has ended, divided by length ** lengthPenalty. */
  readonly score: number;
  /** Index of the parent among the beams of the step before. */
  readonly parent: number;
}

export class BeamSearch {
  /** Beams that continue, best first. */
  running: readonly Beam[];
  /** Beams that have ended, best first. */
  finished: readonly Beam[] = [];
  done = false;
  readonly #config: DecodingConfig;
  readonly #ends: ReadonlySet<number>;
  readonly #process: LogitsProcessor | undefined;

  constructor(config: DecodingConfig, prompt: Int32Array, process?: LogitsProcessor) {
    this.#process = process;
    this.#config = config;
    this.#ends = new Set(config.eosTokenId);
    this.running = [{ ids: [...prompt], choices: [], score: 0, parent: 0 }];
  }

  /** Takes the logits of every running beam. */
  advance(logits: readonly Float32Array[]): void {
    const { numBeams, lengthPenalty, maxNewTokens, earlyStopping } = this.#config;
    const newTokens = this.running[0]!.choices.length + 1;
    const candidates = this.#candidates(logits, Math.max(2, 1 + this.#ends.size) * numBeams);
    const atLimit = newTokens >= maxNewTokens;
    const ends = ({ ids }: Beam): boolean => atLimit || this.#ends.has(ids.at(-1)!);
    const full = this.finished.length === numBeams && earlyStopping === true;
    // Only the best numBeams may end; the others are candidates so that enough beams continue.
    const ended = full
      ? []
      : candidates
          .slice(0, numBeams)
          .filter(ends)
          .map((beam) => ({ ...beam, score: beam.score / newTokens ** lengthPenalty }));
    this.finished = [...this.finished, ...ended]
      .sort((a, b) => b.score - a.score)
      .slice(0, numBeams);
    this.running = candidates.filter((beam) => !ends(beam)).slice(0, numBeams);
    this.done = this.running.length === 0 || !this.#mayImprove(newTokens);
  }

  /** The best beams, whether they ended or not. */
  best(count: number): readonly Beam[] {
    const { lengthPenalty } = this.#config;
    const open = this.running.map((beam) => ({
      ...beam,
      score: beam.score / Math.max(1, beam.choices.length) ** lengthPenalty,
    }));
    return [...this.finished, ...open].slice(0, count);
  }

  #candidates(logits: readonly Float32Array[], count: number): Beam[] {
    const { logprobs } = this.#config;
    const found = this.running.flatMap((beam, parent) => {
      const raw = logits[parent]!;
      const normalizer = logSumExp(raw);
      const scores = Float64Array.from(raw, (logit) => logit - normalizer);
      applyRules(scores, this.#config, historyOf(beam.ids, beam.choices.length));
      this.#process?.(scores, beam.ids, 0);
      const top = logprobs === undefined ? {} : { top: likeliest(raw, logprobs, normalizer) };
      return likeliest(scores, count, 0)
        .filter(({ logprob }) => logprob > -Infinity)
        .map(({ id, logprob }) => ({
          id,
          parent,
          beam,
          score: beam.score + logprob,
          choice: { id, logprob: raw[id]! - normalizer, ...top },
        }));
    });
    found.sort((a, b) => b.score - a.score || a.parent - b.parent || a.id - b.id);
    return found.slice(0, count).map(({ id, parent, beam, score, choice }) => ({
      ids: [...beam.ids, id],
      choices: [...beam.choices, choice],
      score,
      parent,
    }));
  }

  #mayImprove(newTokens: number): boolean {
    const { numBeams, lengthPenalty, maxNewTokens, earlyStopping } = this.#config;
    if (this.finished.length < numBeams) return true;
    if (earlyStopping === true) return false;
    const length = earlyStopping === 'never' && lengthPenalty > 0 ? maxNewTokens : newTokens;
    return this.running[0]!.score / length ** lengthPenalty > this.finished.at(-1)!.score;
  }
}
