// From the entries of `rewards` to rows that are checked: which kind, its options, and what every
// reward has.
import type {
  RewardFunction,
  RewardKind,
  RewardNormalization,
  RewardSetting,
  Rows,
} from '@lmflow/sdk';
import { z } from 'zod';
import { rewardInvalid, unknownReward } from './errors.ts';
import { FUNCTION } from './kinds/function.ts';
import { range } from './options.ts';

/** Seconds that a call may take where neither the configuration nor the kind says it. */
const TIMEOUT = 600;

/** A reward of the configuration, checked. */
export interface CheckedReward {
  readonly kind: RewardKind;
  readonly name: string;
  readonly weight: number;
  readonly gold: boolean;
  readonly normalize: RewardNormalization | undefined;
  readonly clip: readonly [number, number] | undefined;
  readonly timeout: number;
  /** Those of the kind. */
  readonly options: Readonly<Record<string, unknown>>;
}

const common = z.object({
  name: z.string().min(1).optional(),
  weight: z.number().optional(),
  gold: z.boolean().optional(),
  normalize: z
    .union([
      z.enum(['batch', 'running']),
      z.strictObject({ mean: z.number().optional(), std: z.number().positive().optional() }),
    ])
    .optional(),
  clip: range.optional(),
  timeout: z.number().positive().optional(),
});

const COMMON = Object.keys(common.shape);

/** Throws LMFLOW_REWARD_UNKNOWN and LMFLOW_REWARD_INVALID. */
export function checkedRewards(
  settings: readonly RewardSetting[],
  kinds: Rows<RewardKind>,
): CheckedReward[] {
  const rewards = settings.map((setting) => checkedReward(setting, kinds));
  const names = new Set<string>();
  for (const { name } of rewards) {
    if (names.has(name)) throw rewardInvalid(name, 'two rewards have this name; give one a name');
    names.add(name);
  }
  return rewards;
}

function checkedReward(setting: RewardSetting, kinds: Rows<RewardKind>): CheckedReward {
  const { type, ...given } = rowOf(setting);
  const kind = kinds.get(type);
  if (!kind) throw unknownReward(type, kinds.names());
  const ofAll = Object.fromEntries(Object.entries(given).filter(([key]) => COMMON.includes(key)));
  const own = Object.fromEntries(Object.entries(given).filter(([key]) => !COMMON.includes(key)));
  const label = typeof given['name'] === 'string' ? given['name'] : type;
  const { weight, gold = false, normalize, clip, timeout, name } = parsed(common, ofAll, label);
  if (gold) {
    const idle = Object.entries({ weight, normalize, clip }).find(
      ([, value]) => value !== undefined,
    );
    if (idle) {
      throw rewardInvalid(label, `${idle[0]} has no effect: a gold reward is logged as it is`);
    }
  }
  if (weight === 0) throw rewardInvalid(label, 'weight 0 has no effect; say gold: true to log it');
  return {
    kind,
    name: name ?? (type === FUNCTION ? nameOf(own['function']) : type),
    weight: gold ? 0 : (weight ?? 1),
    gold,
    normalize,
    clip,
    timeout: timeout ?? kind.timeout ?? TIMEOUT,
    options: parsed((kind.options ?? z.object({})).strict(), own, label),
  };
}

function rowOf(setting: RewardSetting): { type: string } & Record<string, unknown> {
  if (typeof setting === 'string') return { type: setting };
  if (typeof setting === 'function') return { type: FUNCTION, function: setting };
  return { ...setting };
}

function nameOf(value: unknown): string {
  return (value as RewardFunction).name || FUNCTION;
}

function parsed<S extends z.ZodType>(schema: S, values: unknown, name: string): z.output<S> {
  const result = schema.safeParse(values);
  if (result.success) return result.data;
  const issues = result.error.issues.map(({ path, message }) =>
    path.length > 0 ? `${path.join('.')}: ${message}` : message,
  );
  throw rewardInvalid(name, issues.join('; '));
}
