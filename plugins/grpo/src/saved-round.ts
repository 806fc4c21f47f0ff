// A round in a checkpoint, so that a run that is resumed between two passes goes on with the same
// answers. JSON keeps float32 numbers bit for bit.
import type { Checkpoint, Sample, RewardState, SamplePlace } from '@lmflow/sdk';
import type { ShownAnswer } from './shown-answers.ts';

const FILE = 'grpo_round.json';

/** A round with what is shown of it. */
export interface Round {
  readonly number: number;
  readonly samples: readonly Sample[];
  readonly figures: Readonly<Record<string, number>>;
  readonly shown: readonly ShownAnswer[];
}

interface SavedSample {
  readonly inputIds: readonly number[];
  readonly labels: readonly number[];
  readonly columns: Readonly<Record<string, number>>;
  readonly perToken: Readonly<Record<string, readonly number[]>>;
  readonly place: SamplePlace;
}

interface SavedRound extends Omit<Round, 'samples'> {
  readonly samples: readonly SavedSample[];
}

/** What a checkpoint has of a run. */
export interface SavedRun {
  /** The round that is being trained, where steps of it follow. */
  readonly round?: Round;
  readonly rewards: RewardState;
}

/** Writes what the run needs to go on. */
export async function saveRounds(
  checkpoint: Checkpoint,
  { round, rewards }: SavedRun,
): Promise<void> {
  await checkpoint.writeJson(FILE, {
    rewards,
    ...(round ? { round: { ...round, samples: round.samples.map(saved) } } : {}),
  });
}

/** Reads it again; undefined where the checkpoint is none of this command. */
export async function restoredRounds(checkpoint: Checkpoint): Promise<SavedRun | undefined> {
  const read = (await checkpoint.readJson(FILE)) as
    { readonly rewards: RewardState; readonly round?: SavedRound } | undefined;
  if (!read) return undefined;
  const { rewards, round } = read;
  return {
    rewards,
    ...(round ? { round: { ...round, samples: round.samples.map(restored) } } : {}),
  };
}

function saved({ inputIds, labels, columns, perToken, place }: Sample): SavedSample {
  return {
    inputIds: [...inputIds],
    labels: [...labels],
    columns: columns ?? {},
    perToken: Object.fromEntries(
      Object.entries(perToken ?? {}).map(([name, numbers]) => [name, [...numbers]]),
    ),
    place: place!,
  };
}

function restored({ inputIds, labels, columns, perToken, place }: SavedSample): Sample {
  return {
    inputIds: Int32Array.from(inputIds),
    labels: Int32Array.from(labels),
    columns,
    perToken: Object.fromEntries(
      Object.entries(perToken).map(([name, numbers]) => [name, Float32Array.from(numbers)]),
    ),
    place,
  };
}
