// Goes through the stages: what is fresh stays, the first stale one and what follows from it run.
import { join } from 'node:path';
import { COMMANDS, type CommandInvocation, type PluginContext } from '@lmflow/sdk';
import { digestOf, factsOf, hashOf } from './digests.ts';
import { inStage, stageFailed } from './errors.ts';
import { holds } from './conditions.ts';
import { foldersOf, previousOf, readyStage, type Made, type ReadyStage } from './ingredients.ts';
import type { Condition, LoopSetting, StageSetting } from './options.ts';
import { emptied, readRecord, whyStale, writeRecord } from './records.ts';
import { replaced, withStrings } from './references.ts';
import { isLoop, type Entry } from './stages.ts';

/** What became of a stage. `stale` is one that a dry run would run. */
export interface StageOutcome {
  /** With the loop and round in front: `rounds-2/train`. */
  readonly path: string;
  readonly state: 'fresh' | 'ran' | 'stale' | 'skipped';
  /** Why it ran or would run. */
  readonly reason?: string;
  readonly seconds?: number;
}

/** How the pipeline is run. */
export interface RunSettings {
  readonly folder: string;
  readonly shared: Readonly<Record<string, unknown>>;
  readonly dryRun: boolean;
  /** A stage that runs even where it is fresh. */
  readonly from: string | undefined;
  readonly signal: AbortSignal;
  readonly output: CommandInvocation['output'];
}

/** Where a list of stages stands. */
interface Place {
  readonly path: string;
  readonly round?: number;
  /** What ran before, by the names that settings use. */
  readonly made: Map<string, Made>;
  /** Stages of the loop in the round before. */
  readonly previous: ReadonlyMap<string, Made>;
}

export class PipelineRun {
  readonly outcomes: StageOutcome[] = [];
  /** Set where a command ended because the signal was aborted. */
  interrupted = false;
  readonly #context: Pick<PluginContext, 'resolve' | 'log'>;
  readonly #settings: RunSettings;

  constructor(context: Pick<PluginContext, 'resolve' | 'log'>, settings: RunSettings) {
    this.#context = context;
    this.#settings = settings;
  }

  async run(entries: readonly Entry[]): Promise<void> {
    const place = { path: '', made: new Map(), previous: new Map() };
    await this.#list(entries, place);
  }

  async #list(entries: readonly Entry[], place: Place): Promise<void> {
    for (const entry of entries) {
      if (this.#settings.signal.aborted) this.interrupted = true;
      if (this.interrupted) return;
      if (isLoop(entry)) await this.#loop(entry, place);
      else await this.#stage(entry, place);
    }
  }

  async #loop(loop: LoopSetting, outer: Place): Promise<void> {
    const { name, repeat, stages } = loop;
    let previous: ReadonlyMap<string, Made> = new Map();
    for (let round = 1; round <= repeat && !this.interrupted; round++) {
      const place: Place = {
        path: `${outer.path}${name}-${round}/`,
        round,
        made: new Map(outer.made),
        previous,
      };
      if (loop.while && !(await this.#holds(loop.while, name, place))) break;
      await this.#list(stages, place);
      const own = [...place.made].filter(([stage, made]) => outer.made.get(stage) !== made);
      previous = new Map(own);
      if (this.interrupted) return;
      if (loop.until && (await this.#holds(loop.until, name, place))) break;
    }
    // what comes after the loop reads what its last round made
    for (const [stage, made] of previous) outer.made.set(stage, made);
  }

  async #stage(setting: StageSetting, place: Place): Promise<void> {
    const path = `${place.path}${setting.name}`;
    const folder = join(this.#settings.folder, ...path.split('/'));
    if (setting.if && !(await this.#holds(setting.if, setting.name, place))) {
      this.#tell({ path, state: 'skipped' });
      return;
    }
    const made = new Map([...place.made, ...previousOf(place.previous)]);
    const ready = await readyStage(setting, {
      names: { stage: setting.name, values: this.#values(place, folder) },
      made,
      root: this.#settings.folder,
      shared: this.#settings.shared,
    });
    const record = await readRecord(folder);
    const { from, dryRun } = this.#settings;
    const forced = from === setting.name ? 'asked for by --from' : undefined;
    const reason = forced ?? (await whyStale(folder, record, ready.ingredients));
    if (reason === undefined) {
      place.made.set(setting.name, { folder, digest: digestOf(record!.outputs) });
      this.#tell({ path, state: 'fresh' });
    } else if (dryRun) {
      // what it will make is not known: whatever reads it is stale too
      place.made.set(setting.name, { folder, digest: hashOf('stale', path) });
      this.#tell({ path, state: 'stale', reason });
    } else {
      await this.#make(ready, { path, folder, reason }, place);
    }
  }

  /** Runs a stage and notes what it was made of and what it made. */
  async #make(
    { stage, ingredients }: ReadyStage,
    { path, folder, reason }: { path: string; folder: string; reason: string },
    place: Place,
  ): Promise<void> {
    const { command } = stage;
    const { log } = this.#context;
    log.info(`stage ${path} runs (${command}): ${reason}`);
    await emptied(folder, stage.name);
    const begun = { command, ...ingredients, state: 'running' as const, outputs: [] };
    await writeRecord(folder, begun);
    const started = performance.now();
    if (!(await this.#command(stage))) return;
    for (const output of stage.outputs ?? []) {
      const facts = await factsOf(join(folder, output)).catch(() => []);
      if (facts.length === 0) {
        throw stageFailed(stage.name, `${command} ended without making ${join(folder, output)}`);
      }
    }
    const seconds = (performance.now() - started) / 1000;
    const outputs = await factsOf(folder);
    await writeRecord(folder, { ...begun, state: 'done', seconds, outputs });
    place.made.set(stage.name, { folder, digest: digestOf(outputs) });
    this.#tell({ path, state: 'ran', reason, seconds });
  }

  /** Whether the command came to its end. */
  async #command({ name, command, ...stage }: StageSetting): Promise<boolean> {
    const { signal, output } = this.#settings;
    const { presets, plugins, config, options, arguments: positionals } = stage;
    let exitCode: number;
    try {
      ({ exitCode } = await this.#context.resolve(COMMANDS).run({
        command,
        config: { ...config, ...(presets ? { presets } : {}), ...(plugins ? { plugins } : {}) },
        ...(options ? { options } : {}),
        ...(positionals ? { positionals } : {}),
        signal,
        output,
      }));
    } catch (cause) {
      if (!signal.aborted) throw inStage(name, cause);
      exitCode = 0;
    }
    if (signal.aborted) {
      this.interrupted = true;
      return false;
    }
    if (exitCode !== 0) throw stageFailed(name, `${command} ended with exit code ${exitCode}`);
    return true;
  }

  async #holds(condition: Condition, name: string, place: Place): Promise<boolean> {
    const values = this.#values(place, undefined);
    const names = { stage: name, values };
    const asked = withStrings(condition, (text) => replaced(text, names)) as Condition;
    return holds(asked, name, {
      round: place.round,
      folder: (stage) => replaced(`\${${stage}}`, names),
    });
  }

  #values(place: Place, folder: string | undefined): ReadonlyMap<string, string | undefined> {
    return new Map<string, string | undefined>([
      ...foldersOf(place.made),
      ...foldersOf(new Map(previousOf(place.previous))),
      ...(folder === undefined ? [] : ([['folder', folder]] as const)),
      ...(place.round === undefined ? [] : ([['round', String(place.round)]] as const)),
    ]);
  }

  #tell(outcome: StageOutcome): void {
    this.outcomes.push(outcome);
    const { path, state, reason, seconds } = outcome;
    const time = seconds === undefined ? '' : ` in ${seconds.toFixed(1)} s`;
    const why = state === 'stale' && reason !== undefined ? `: ${reason}` : '';
    this.#context.log.event('stage', { ...outcome }, `stage ${path} ${state}${time}${why}`);
  }
}
