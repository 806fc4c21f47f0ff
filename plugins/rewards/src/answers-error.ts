// What a reward of this plugin throws where it knows the answers that it failed for.

/** Something is wrong with the answers from `from` to before `to`. */
export class AnswersError extends Error {
  readonly from: number;
  readonly to: number;
  /** It is the data that lack something. */
  readonly lacks: boolean;

  constructor(
    message: string,
    { from, to = from + 1, lacks = false }: { from: number; to?: number; lacks?: boolean },
    cause?: unknown,
  ) {
    super(message, cause === undefined ? {} : { cause });
    this.from = from;
    this.to = to;
    this.lacks = lacks;
  }
}

/** An answer lacks what a reward needs to know of it. */
export function lacking(what: string, index: number): AnswersError {
  return new AnswersError(what, { from: index, lacks: true });
}
