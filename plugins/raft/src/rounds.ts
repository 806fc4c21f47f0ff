// The rounds of a run: the first three stages, training, and what is saved, shown and stopped between
// them. A run that was killed goes on where its files end.
import { join } from 'node:path';
import {
  answersToReward,
  meanOf,
  type RewardState,
  type RolloutPrompt,
  type Sample,
  type TrainingRun,
} from '@lmflow/sdk';
import { writeFileAtomic } from '@lmflow/sdk/files';
import { roundChart } from './chart.ts';
import { selectionLost } from './errors.ts';
import { alarmsOf, roundsWithoutGain, roundTable, shown, type RoundFigures } from './figures.ts';
import {
  drawSettings,
  prepareRound,
  promptsOf,
  type PreparedRound,
  type RoundContext,
  type SelectedRow,
} from './round.ts';
import { readStage, roundFolder, stageFile } from './stages.ts';
import { microBatchesOf, packedOf, sampleOf, stepsOf, type Batching } from './winners.ts';

/** What a checkpoint keeps of a run, beside the trainer's own. */
export interface RaftState {
  /** Figures of the rounds so far, also of one that is trained now. */
  rounds: RoundFigures[];
  /** The round that is trained now: hash of its selected answers, steps before it and of it. */
  training:
    | {
        readonly round: number;
        readonly selected: string;
        readonly start: number;
        readonly steps: number;
      }
    | undefined;
  /** Means of rewards that are normalised over the run. */
  rewards: RewardState;
}

/** A run of rounds. */
export interface Rounds extends RoundContext {
  readonly run: TrainingRun;
  readonly state: RaftState;
  readonly batching: Batching;
  /** Prompts whose answers are rewarded after each round, and not trained. */
  readonly evaluation: readonly RolloutPrompt[] | undefined;
  /** Whether a checkpoint is written at the end of each round. */
  readonly saves: boolean;
}

/** Round after round; resolves to whether the reward stopped rising before the last. */
export async function runRounds(rounds: Rounds): Promise<boolean> {
  const { run, state, options, rewards, log } = rounds;
  rewards.restore(state.rewards);
  // a run that was killed after its last step has yet to end its last round
  const isInterrupted = (): boolean => run.end === 'interrupted';
  while (run.end === undefined || (run.end === 'finished' && state.training)) {
    let samples: readonly Sample[];
    if (state.training) {
      samples = await samplesInTraining(rounds, state.training.round);
    } else {
      if (state.rounds.length >= options.rounds) return false;
      samples = await beginRound(rounds);
    }
    const { round, start, steps } = state.training!;
    while (run.steps - start < steps && run.end === undefined) {
      await run.step(microBatchesOf(samples, round, run.steps - start, rounds.batching));
    }
    if (isInterrupted()) return false;
    await endRound(rounds, round);
    const without = roundsWithoutGain(state.rounds);
    if (without >= (options.patience ?? Infinity)) {
      log.info(`${without} rounds without a higher reward: training stops`);
      return true;
    }
  }
  return false;
}

/** Stages 1 to 3 of the next round; it is in training then. */
async function beginRound(rounds: Rounds): Promise<readonly Sample[]> {
  const { run, state, options, rewards, log, batching } = rounds;
  const round = state.rounds.length + 1;
  const prepared = await prepareRound(round, rounds);
  showAnswers(rounds, prepared);
  const { figures, selected } = prepared;
  if (selected.rows.length === 0) {
    log.warn(`round ${round}: no answer is selected, none is trained`);
  }
  const samples = samplesOf(rounds, round, selected.rows);
  const steps = stepsOf(samples.length, batching);
  state.rounds.push(figures);
  state.rewards = rewards.state();
  state.training = { round, selected: selected.hash, start: run.steps, steps };
  log.info(
    `round ${round}: reward ${shown(figures.reward)}, best of ${options.numGenerations} ` +
      `${shown(figures.rewardBest)}; ${selected.rows.length} of ${prepared.samples.length} answers ` +
      `are trained in ${steps} steps`,
  );
  const renewed = options.optimizer === 'fresh';
  if (steps > 0 && options.schedule === 'round') run.restart(steps, { optimizer: renewed });
  else if (steps > 0 && renewed) run.restart(run.totalSteps, { optimizer: true });
  return samples;
}

/** The selected answers of a round whose training was interrupted. */
async function samplesInTraining(rounds: Rounds, round: number): Promise<readonly Sample[]> {
  const file = stageFile(rounds.outputDir, round, 'selected');
  const found = await readStage<SelectedRow>(file);
  if (found?.hash !== rounds.state.training!.selected) throw selectionLost(file, round);
  return samplesOf(rounds, round, found.rows);
}

function samplesOf(rounds: Rounds, round: number, rows: readonly SelectedRow[]): readonly Sample[] {
  const prompts = promptsOf(round, rounds);
  return packedOf(
    rows.map(({ place, ids }) => sampleOf(prompts[place]!, ids)),
    rounds.batching,
  );
}

/** Held-out rewards, the checkpoint, table, chart and alarms. */
async function endRound(rounds: Rounds, round: number): Promise<void> {
  const { run, state, log, outputDir, saves } = rounds;
  const heldOut = await heldOutReward(rounds);
  if (heldOut !== undefined) state.rounds.push({ ...state.rounds.pop()!, heldOut });
  state.training = undefined;
  if (saves && run.steps > 0) {
    const checkpoint = await run.save();
    const model = { checkpoint, step: run.steps };
    const text = `${JSON.stringify(model, undefined, 2)}\n`;
    await writeFileAtomic(join(roundFolder(outputDir, round), 'model.json'), text);
  }
  const table = roundTable(state.rounds);
  await writeFileAtomic(join(outputDir, 'raft', 'rounds.md'), table);
  await writeFileAtomic(join(outputDir, 'raft', 'rounds.svg'), roundChart(state.rounds));
  const last = state.rounds.at(-1)!;
  const rewarded = heldOut === undefined ? '' : `held-out reward ${shown(heldOut)}, `;
  const text = `round ${round} is trained: ${rewarded}${figuresText(last)}`;
  log.event('raft', { ...last, gold: undefined, ...last.gold }, text);
  for (const alarm of alarmsOf(state.rounds)) log.warn(`round ${round}: ${alarm}`);
}

function figuresText({ kl, length, cut, distinct2, gold }: RoundFigures): string {
  return [
    ...Object.entries(gold).map(([name, value]) => `${name} ${shown(value)}`),
    ...(kl === undefined ? [] : [`KL ${shown(kl)}`]),
    `length ${shown(length)}`,
    `${Math.round(100 * cut)} % cut`,
    ...(distinct2 === undefined ? [] : [`distinct-2 of the selected ${shown(distinct2)}`]),
  ].join(', ');
}

/** Mean reward of one answer to each evaluation prompt, with the same random numbers each time. */
async function heldOutReward(rounds: Rounds): Promise<number | undefined> {
  const { evaluation, options, model, rollouts, rewards, seed, signal } = rounds;
  if (!evaluation) return undefined;
  const answers = await rollouts.draw({
    model,
    prompts: evaluation,
    settings: { ...drawSettings(options), numGenerations: 1 },
    seed,
    round: 0,
    signal,
  });
  const { totals } = await rewards.score({
    answers: answersToReward(answers, evaluation),
    purpose: 'evaluation',
    signal,
  });
  return meanOf(totals);
}

/** Some answers with their rewards. */
function showAnswers({ options, log }: Rounds, { samples, scores }: PreparedRound): void {
  const apart = Math.max(
    1,
    Math.floor(samples.length / Math.max(1, options.numCompletionsToPrint)),
  );
  for (let place = 0; place < options.numCompletionsToPrint; place++) {
    const sample = samples[place * apart];
    if (!sample) return;
    const { total } = scores[place * apart]!;
    const reward = total === null ? 'no reward' : `reward ${shown(total)}`;
    const end = sample.ended ? '' : ' (cut)';
    log.info(
      `answer ${sample.index + 1} to prompt ${sample.prompt}, ${reward}${end}: ${sample.text}`,
    );
  }
}
