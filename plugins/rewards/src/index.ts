// The plugin: the service REWARDER, which says how good answers are, by the rewards that the key
// `rewards` of the configuration names.
import {
  ANSWER_CHECKS,
  definePlugin,
  REWARDER,
  REWARDS,
  type AsyncSeriesWaterfallHook,
  type Rewarder,
  type RewardRequest,
  type Rewards,
} from '@lmflow/sdk';
import { rewardsMissing } from './errors.ts';
import { checkedAnswers } from './kinds/checked-answers.ts';
import { functionReward } from './kinds/function.ts';
import { httpReward } from './kinds/http.ts';
import { modelReward } from './kinds/model.ts';
import { textRewards } from './kinds/text-rewards.ts';
import { rewardsOptions } from './options.ts';
import { Session, type ReadyReward } from './session.ts';
import { checkedRewards } from './settings.ts';
import manifest from '../package.json' with { type: 'json' };

export { rewardsOptions, type RewardsOptions } from './options.ts';

declare module '@lmflow/sdk' {
  interface Hooks {
    /** Answers were rewarded: change the totals (a penalty, a bonus) or add what is to be logged. */
    readonly onReward: AsyncSeriesWaterfallHook<[Rewards, RewardRequest]>;
  }
}

const rewards = definePlugin({
  name: '@lmflow/plugin-rewards',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { schema: rewardsOptions },
  apply(context) {
    context.defineHook('onReward', 'waterfall');
    const kinds = [
      functionReward,
      modelReward(context.resolve),
      httpReward,
      ...checkedAnswers(() => context.rows(ANSWER_CHECKS)),
      ...textRewards,
    ];
    for (const kind of kinds) context.contribute(REWARDS, kind);

    const open: Rewarder['open'] = async ({ gold = false, signal } = {}) => {
      const checked = checkedRewards(context.options.rewards, context.rows(REWARDS));
      if (!checked.some((reward) => gold || !reward.gold)) throw rewardsMissing(gold);
      const ready: ReadyReward[] = [];
      const session = (): Session =>
        new Session(ready, context.options.rewardClip, context.hooks.onReward);
      try {
        for (const reward of checked) {
          const opened = await reward.kind.open(reward.options, {
            name: reward.name,
            signal: signal ?? new AbortController().signal,
          });
          ready.push({
            ...reward,
            open: typeof opened === 'function' ? { score: opened } : opened,
          });
        }
      } catch (cause) {
        await session().dispose();
        throw cause;
      }
      return session();
    };
    context.provide(REWARDER, () => ({ open }));
  },
});

export default rewards;
