// An optimizer as a chain of small transformations: the gradient goes in, each link changes the
// update that the one before left, one of them applies it to the parameter.
import type {
  Optimizer,
  StateNumbers,
  StateTensor,
  UpdateFacts,
  UpdateResult,
  UpdateValues,
} from '@lmflow/sdk';
import type { Value } from '@lmflow/sdk/graph';

/** What a link works on: `parameter` and `state` as the links before left them. */
export interface LinkValues extends UpdateValues {
  /** At first the gradient. */
  readonly update: Value;
}

/** What a link changes. */
export interface LinkResult extends Partial<UpdateResult> {
  readonly update?: Value;
}

/** A link of a chain. Pure, as an optimizer is. */
export interface Transformation {
  /** The tensors it keeps. A name means one thing in a chain, and is the name in checkpoints. */
  init?: Optimizer['init'];
  readonly numbers?: StateNumbers;
  /** Its numbers of a step. A name means one number in a chain. */
  scalars?: Optimizer['scalars'];
  update(values: LinkValues): LinkResult;
}

/** Makes an optimizer of links. Throws a TypeError where two of them use one name differently. */
export function chain(...links: readonly Transformation[]): Optimizer {
  const numbers = links.flatMap((link) => link.numbers ?? []);
  return {
    init: (parameter) => merged<StateTensor>(links.map((link) => link.init?.(parameter))),
    numbers: {
      first: merged(numbers.map(({ first }) => first)),
      next: (facts) => merged(numbers.map((link) => link.next(facts))),
    },
    scalars: (facts: UpdateFacts) => merged(links.map((link) => link.scalars?.(facts))),
    update: (values) => {
      let now: LinkValues = { ...values, update: values.gradient };
      let changed: UpdateResult['state'] = {};
      for (const link of links) {
        const { state, ...others } = link.update(now);
        changed = { ...changed, ...state };
        now = { ...now, ...others, state: { ...now.state, ...state } };
      }
      return { parameter: now.parameter, state: changed };
    },
  };
}

function merged<T>(parts: readonly (Readonly<Record<string, T>> | undefined)[]): Record<string, T> {
  const all: Record<string, T> = {};
  for (const part of parts) {
    for (const [name, value] of Object.entries(part ?? {})) {
      if (name in all && !Object.is(all[name], value)) {
        throw new TypeError(`two links of a chain use the name "${name}" for different things`);
      }
      all[name] = value;
    }
  }
  return all;
}
