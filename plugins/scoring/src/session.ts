// A session of the scorer: checks rows, computes equal inputs once and others in batches, and puts
// the results in the order that was asked for.
import {
  answerRow,
  IGNORED,
  type Continuation,
  type ContinuationScore,
  type RowScores,
  type ScoreOptions,
  type ScoreRow,
  type ScoringSession,
  type TokenScore,
} from '@lmflow/sdk';
import type { Model } from '@lmflow/sdk/model';
import { batchesOf, FEWEST_TOKENS, powerOver } from './batches.ts';
import { headNotScalar, rowUnfit } from './errors.ts';
import { ScoringPrograms, type ProgramsRequest } from './programs.ts';
import { scoreOf } from './token-scores.ts';

export interface SessionRequest extends ProgramsRequest {
  readonly batchTokens: number;
  readonly batchSize: number;
}

/** Most numbers of the logits that exist at a time. */
const LOGITS = 2 ** 24;
/** Most rows of hidden states that the head's program takes. */
const MOST = 1024;

/** What is fed of a row, and after which places logits are wanted. */
interface Reading {
  readonly ids: Int32Array;
  /** Ascending. */
  readonly places: readonly number[];
}

/** Takes the logits of a place of a reading: [outputs of the head]. */
type Take = (reading: number, index: number, logits: Float32Array) => void;

export class Session implements ScoringSession {
  readonly #request: SessionRequest;
  readonly #programs: ScoringPrograms;
  /** The call before: they run one after the other. */
  #turn: Promise<unknown> = Promise.resolve();

  constructor(request: SessionRequest) {
    this.#request = request;
    this.#programs = new ScoringPrograms(request);
  }

  async score(rows: readonly ScoreRow[], options: ScoreOptions = {}): Promise<RowScores[]> {
    const { top = 0, temperature = 1 } = options;
    const scored = rows.map(scoredPlaces);
    const results = scored.map((places) => ({
      logprobs: new Float64Array(places.length),
      greedy: new Uint8Array(places.length),
      ...(top > 0 ? { top: new Array<readonly TokenScore[]>(places.length) } : {}),
    }));
    const readings = rows.map(({ ids }, row) => {
      const places = scored[row]!.map((place) => place - 1);
      return { ids: ids.subarray(0, (places.at(-1) ?? -1) + 1), places };
    });
    rows.forEach((row, index) => {
      this.#check(
        index,
        readings[index]!.ids,
        scored[index]!.map((place) => targetOf(row, place)),
      );
    });
    await this.#read(readings, options, (row, index, logits) => {
      const found = scoreOf(
        temperature === 1 ? logits : logits.map((logit) => logit / temperature),
        targetOf(rows[row]!, scored[row]![index]!),
        top,
      );
      const result = results[row]!;
      result.logprobs[index] = found.logprob;
      result.greedy[index] = Number(found.greedy);
      if (found.top) result.top![index] = found.top;
    });
    return results;
  }

  async continuations(
    pairs: readonly Continuation[],
    options: Omit<ScoreOptions, 'top'> = {},
  ): Promise<ContinuationScore[]> {
    const rows = pairs.map(({ context, continuation }, row) => {
      if (context.length === 0) throw rowUnfit(row, 'has no context: its first token has no score');
      return answerRow(context, continuation);
    });
    const found = await this.score(rows, options);
    return found.map(({ logprobs, greedy }) => ({
      logprob: logprobs.reduce((sum, logprob) => sum + logprob, 0),
      greedy: greedy.every((one) => one === 1),
    }));
  }

  async values(
    rows: readonly Int32Array[],
    options: Omit<ScoreOptions, 'top' | 'temperature'> = {},
  ): Promise<Float64Array> {
    const values = new Float64Array(rows.length);
    const readings = rows.map((ids, row) => {
      if (ids.length === 0) throw rowUnfit(row, 'has no token');
      this.#check(row, ids);
      return { ids, places: [pooledPlace(ids, this.#request.model)] };
    });
    await this.#read(readings, options, (row, _index, logits) => {
      if (logits.length !== 1) throw headNotScalar(this.#request.model.source, logits.length);
      values[row] = logits[0]!;
    });
    return values;
  }

  async logits(ids: Int32Array): Promise<Float32Array> {
    this.#check(0, ids);
    const rows: Float32Array[] = [];
    await this.#read([{ ids, places: [...ids.keys()] }], {}, (_row, _index, logits) => {
      rows.push(logits.slice());
    });
    const width = rows[0]?.length ?? 0;
    const all = new Float32Array(rows.length * width);
    rows.forEach((row, index) => {
      all.set(row, index * width);
    });
    return all;
  }

  async dispose(): Promise<void> {
    await this.#turn;
    await this.#programs.dispose();
  }

  #check(row: number, ids: Int32Array, targets: readonly number[] = []): void {
    const { maxPositions, rope, vocabularySize } = this.#request.model.architecture;
    // rotary positions have no end
    if (!rope && ids.length > maxPositions) {
      throw rowUnfit(row, `has ${ids.length} tokens to read, the model ${maxPositions} positions`);
    }
    const wrong = [...ids, ...targets].find((id) => id < 0 || id >= vocabularySize);
    if (wrong !== undefined) {
      throw rowUnfit(row, `has the id ${wrong}, the model ${vocabularySize} tokens`);
    }
  }

  /** Computes the logits that are wanted and gives them to `take`, once for each reading's place. */
  async #read(readings: readonly Reading[], options: ScoreOptions, take: Take): Promise<void> {
    const turn = this.#turn.then(() => this.#compute(readings, options, take));
    this.#turn = turn.catch(() => undefined);
    return turn;
  }

  async #compute(
    readings: readonly Reading[],
    { signal, progress }: ScoreOptions,
    take: Take,
  ): Promise<void> {
    const { model, batchSize, batchTokens } = this.#request;
    const groups = groupsOf(readings);
    const lengths = groups.map(([first]) => readings[first!]!.ids.length);
    let done = readings.length - groups.reduce((sum, group) => sum + group.length, 0);
    try {
      for (const { rows, size, length } of batchesOf(lengths, model.architecture, {
        batchTokens,
        batchSize,
      })) {
        signal?.throwIfAborted();
        const ids = new Int32Array(size * length);
        rows.forEach((group, row) => {
          ids.set(readings[groups[group]![0]!]!.ids, row * length);
        });
        const hidden = await this.#programs.hidden(ids, size, length);
        await this.#head(
          hidden,
          rows.map((group) => groups[group]!.map((reading) => [reading, readings[reading]!])),
          length,
          take,
        );
        done += rows.reduce((sum, group) => sum + groups[group]!.length, 0);
        progress?.(done);
      }
    } finally {
      this.#programs.forgetParameters();
    }
  }

  /** The head on the places that any reading of a row wants, as many at a time as memory allows. */
  async #head(
    hidden: Float32Array,
    rows: readonly (readonly (readonly [number, Reading])[])[],
    length: number,
    take: Take,
  ): Promise<void> {
    const { hiddenSize: width, vocabularySize } = this.#request.model.architecture;
    const takers = new Map<number, (readonly [reading: number, index: number])[]>();
    for (const [row, inside] of rows.entries()) {
      for (const [reading, { places }] of inside) {
        for (const [index, place] of places.entries()) {
          const at = row * length + place;
          const known = takers.get(at);
          if (known) known.push([reading, index]);
          else takers.set(at, [[reading, index]]);
        }
      }
    }
    const wanted = [...takers];
    const most = Math.min(
      MOST,
      Math.max(FEWEST_TOKENS, 2 ** Math.floor(Math.log2(LOGITS / vocabularySize))),
    );
    for (let start = 0; start < wanted.length; start += most) {
      const some = wanted.slice(start, start + most);
      const count = Math.max(FEWEST_TOKENS, powerOver(some.length));
      const states = new Float32Array(count * width);
      some.forEach(([at], index) => {
        states.set(hidden.subarray(at * width, (at + 1) * width), index * width);
      });
      const logits = await this.#programs.logits(states, count);
      const outputs = logits.length / count;
      for (const [place, [, those]] of some.entries()) {
        for (const [reading, index] of those) {
          take(reading, index, logits.subarray(place * outputs, (place + 1) * outputs));
        }
      }
    }
  }
}

/**
 * Where a classifier reads a row: its last token that is not padding by its id, as in transformers,
 * or the first one where all are; other heads read the last.
 */
function pooledPlace(ids: Int32Array, { architecture, config }: Model): number {
  const padding = config['pad_token_id'];
  if (architecture.labels === undefined || typeof padding !== 'number') return ids.length - 1;
  return Math.max(
    0,
    ids.findLastIndex((id) => id !== padding),
  );
}

/** The places of a row's scored tokens, ascending. */
function scoredPlaces({ ids, labels }: ScoreRow, row: number): number[] {
  if (labels && labels.length !== ids.length) {
    throw rowUnfit(row, `has ${ids.length} ids and ${labels.length} labels`);
  }
  // nothing comes before the first token: its label never counts
  return [...ids.keys()].filter((place) => place > 0 && labels?.[place] !== IGNORED);
}

function targetOf({ ids, labels }: ScoreRow, place: number): number {
  return (labels ?? ids)[place]!;
}

/** Readings of equal ids together; those that want nothing are left out. */
function groupsOf(readings: readonly Reading[]): number[][] {
  const groups = new Map<string, number[]>();
  for (const [index, { ids, places }] of readings.entries()) {
    if (places.length === 0) continue;
    const key = ids.join();
    const known = groups.get(key);
    if (known) known.push(index);
    else groups.set(key, [index]);
  }
  return [...groups.values()];
}
