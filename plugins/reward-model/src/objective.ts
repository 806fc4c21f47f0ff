// The loss of a reward model: how likely it finds the chosen answer to be the better one (Bradley and
// Terry 1952), with a margin (Llama 2), centring (Eisenstein et al. 2023) and smoothing.
import type { Objective } from '@lmflow/sdk';
import { answersOf, forward, groupMembers, sequenceSums, type Trace } from '@lmflow/sdk/model';
import {
  add,
  cast,
  gather,
  greater,
  logSigmoid,
  matMul,
  max,
  mul,
  neg,
  reshape,
  sub,
  sum,
  type Value,
} from '@lmflow/sdk/graph';
import type { RewardModelOptions } from './options.ts';

/** What decides the loss. */
export type RewardLoss = RewardModelOptions;

/** Rewards of the batch's sequences [sequences], read at each one's last token. */
export function rewardsOf(trace: Trace): Value {
  const { hidden, weight } = forward(trace);
  const last = gather(hidden, trace.input('lastTokens'));
  return reshape(matMul(last, weight, { transposeB: true }), [last.shape[0]!]);
}

/**
 * Sums over pairs. `margin`: the samples have a column of that name. Figures have TRL's names, and
 * accuracies by which answer is longer; `min_reward` and `max_reward` are means over micro-batches.
 */
export function rewardModeling(options: RewardLoss): Objective {
  const { margin, centerRewardsCoefficient, labelSmoothing } = options;
  return {
    name: 'reward-modeling',
    options: { ...options },
    perToken: true,
    weight: ({ sequences, groupSize }) => sequences.length / groupSize,
    build: (trace) => {
      const rewards = rewardsOf(trace);
      const [chosen, rejected] = pairOf(rewards);
      const difference = sub(chosen, rejected);
      const x = margin ? sub(difference, pairOf(trace.input('margin'))[0]) : difference;
      let loss = mul(neg(sum(logSigmoid(x))), 1 - labelSmoothing);
      if (labelSmoothing > 0) loss = sub(loss, mul(sum(logSigmoid(neg(x))), labelSmoothing));
      if (centerRewardsCoefficient > 0) {
        const both = add(chosen, rejected);
        loss = add(loss, mul(sum(mul(both, both)), centerRewardsCoefficient));
      }
      return { loss, metrics: figuresOf(trace, rewards, difference) };
    },
  };
}

function figuresOf(
  trace: Trace,
  rewards: Value,
  difference: Value,
): NonNullable<ReturnType<Objective['build']>['metrics']> {
  const one = trace.graph.scalar(1);
  const right = cast(greater(difference, 0), 'float32');
  const [ofChosen, ofRejected] = pairOf(sequenceSums(trace, answersOf(trace)));
  const chosenLonger = cast(greater(ofChosen, ofRejected), 'float32');
  const rejectedLonger = cast(greater(ofRejected, ofChosen), 'float32');
  return {
    accuracy: sum(right),
    margin: sum(difference),
    min_reward: { sum: neg(max(neg(rewards))), weight: one },
    mean_reward: mul(sum(rewards), 0.5),
    max_reward: { sum: max(rewards), weight: one },
    accuracy_chosen_longer: { sum: sum(mul(right, chosenLonger)), weight: sum(chosenLonger) },
    accuracy_rejected_longer: { sum: sum(mul(right, rejectedLonger)), weight: sum(rejectedLonger) },
  };
}

const pairOf = (values: Value): readonly [Value, Value] =>
  groupMembers(values, 2) as unknown as readonly [Value, Value];
