// One kernel's hooks: made with tapable, every tap wrapped once, so that a failure names plugin and
// hook and times are kept. Plugins tap them; services (trainer, datasets, ...) call them.
import { messageOf, modelPhases, type Hooks, type Logger } from '@lmflow/sdk';
import type { ModelRequest } from '@lmflow/sdk/model';
import { attributed, frozen, hookInvalid, tapInvalid } from './errors.ts';
import { kindOf } from './errors/shown.ts';
import {
  constructors,
  Hook,
  type Kind,
  type Listener,
  type Placing,
  type Tap,
  type RunningTap,
  type TapReport,
} from './hook.ts';

export type { RunningTap, TapReport };

/** What a tap has cost so far. */
export interface TapTime {
  readonly plugin: string;
  readonly hook: string;
  readonly calls: number;
  readonly milliseconds: number;
}

const builtIn: Readonly<Record<string, Kind>> = {
  onConfig: 'sync-waterfall',
  onDataset: 'waterfall',
  onSamples: 'waterfall',
  onModelLoad: 'phased',
  onPlan: 'series',
  onBatch: 'waterfall',
  onStepStart: 'series',
  onStep: 'series',
  onEvaluate: 'series',
  onSave: 'series',
  onRestore: 'series',
  onGenerate: 'middleware',
  onLogits: 'sync',
  onMetrics: 'sync',
  onDoctor: 'series',
  onClose: 'series',
};

const enforced = { pre: -1, post: 1 } as const;
/** More plugins than a kernel has. */
const PHASE = 1e6;

/** The hooks of one kernel and what is known of their taps. */
export class HookBoard {
  /** What plugins see; reading a name that is no hook is remembered, for a better message. */
  readonly hooks: Hooks;
  readonly #target: Record<string, Hook> = {};
  readonly #times = new Map<string, TapTime>();
  readonly #warned = new Set<string>();
  readonly #running = new Set<RunningTap>();
  readonly #log: Logger;
  readonly #rankOf: (plugin: string) => number;
  readonly #trains: (plugin: string) => boolean;
  #current: string | undefined;
  #missed: string | undefined;
  #frozen = false;

  /**
   * `rankOf` orders the taps of one phase; `trains` says whether a plugin takes part in training:
   * where not, its taps of onModelLoad do not run for a model that is trained.
   */
  constructor(
    log: Logger,
    rankOf: (plugin: string) => number,
    trains: (plugin: string) => boolean,
  ) {
    this.#log = log;
    this.#rankOf = rankOf;
    this.#trains = trains;
    for (const [name, kind] of Object.entries(builtIn)) {
      this.#add(name, kind, kind === 'phased' ? modelPhases : undefined);
    }
    this.hooks = new Proxy(this.#target, {
      get: (target, name, receiver): unknown => {
        if (typeof name === 'string' && !(name in target)) this.#missed = name;
        return Reflect.get(target, name, receiver) as unknown;
      },
      set: () => false,
      deleteProperty: () => false,
      defineProperty: () => false,
    }) as unknown as Hooks;
  }

  get frozen(): boolean {
    return this.#frozen;
  }

  /** From now on nobody may tap. */
  freeze(): void {
    this.#frozen = true;
  }

  /**
   * Runs a plugin's apply(): taps made meanwhile belong to the plugin. Where it throws, `missed` is
   * the last name it read that is no hook.
   */
  during(
    plugin: string,
    apply: () => unknown,
  ): { readonly returned?: unknown; readonly thrown?: unknown; readonly missed?: string } {
    this.#current = plugin;
    this.#missed = undefined;
    try {
      return { returned: apply() };
    } catch (thrown) {
      return { thrown, ...(this.#missed === undefined ? {} : { missed: this.#missed }) };
    } finally {
      this.#current = undefined;
    }
  }

  /** Names of all hooks. */
  names(): string[] {
    return Object.keys(this.#target);
  }

  /** Adds a plugin's own hook. Throws LMFLOW_HOOK_INVALID. */
  define(plugin: string, name: string, kind: string, phases?: readonly string[]): void {
    if (this.#target[name]) {
      throw hookInvalid(plugin, name, 'there is a hook of this name already');
    }
    if (!Object.hasOwn(constructors, kind)) {
      throw hookInvalid(
        plugin,
        name,
        `"${String(kind)}" is no kind of hook: ${Object.keys(constructors).join(', ')}`,
      );
    }
    if ((kind === 'phased') !== (phases !== undefined && phases.length > 0)) {
      throw hookInvalid(plugin, name, 'a phased hook names its phases, and no other has any');
    }
    this.#add(name, kind as Kind, phases);
  }

  /** Wrapped taps of a hook, in the order they run. */
  taps(name: string): readonly Tap[] {
    return this.#target[name]?.taps ?? [];
  }

  /** Taps of every hook that has any. */
  report(): Readonly<Record<string, readonly TapReport[]>> {
    const tapped = Object.entries(this.#target).filter(([, { taps }]) => taps.length > 0);
    return Object.fromEntries(
      tapped.map(([name, { taps }]) => [name, taps.map(({ fn: _fn, ...report }) => report)]),
    );
  }

  /** Asynchronous taps that have not settled, the innermost last. */
  running(): readonly RunningTap[] {
    return [...this.#running];
  }

  /** Times of all taps that ran, the longest first. */
  times(): TapTime[] {
    return [...this.#times.values()].sort((a, b) => b.milliseconds - a.milliseconds);
  }

  #add(name: string, kind: Kind, phases: readonly string[] | undefined): void {
    this.#target[name] = new Hook(kind, phases, (tap, fn) => this.#admit(name, kind, tap, fn));
  }

  /** The tap as it is kept, with its place. Throws LMFLOW_KERNEL_FROZEN, LMFLOW_HOOK_TAP_INVALID. */
  #admit(
    hook: string,
    kind: Kind,
    { phase, enforce, phases, unknown }: Placing,
    fn: unknown,
  ): { readonly tap: Tap; readonly stage: number } {
    const plugin = this.#current;
    if (this.#frozen || plugin === undefined) {
      throw frozen(`tapped ${hook}`, plugin ?? 'the application');
    }
    if (phases && !phases.includes(phase ?? '')) {
      throw tapInvalid(
        plugin,
        hook,
        `${typeof phase === 'string' ? `"${phase}"` : kindOf(phase)} is no phase of this hook`,
        `Name one of ${phases.join(', ')} first: hooks.${hook}.tap('${phases[0]}', listener).`,
      );
    }
    if (typeof fn !== 'function') {
      const first = phases ? "'phase', " : '';
      throw tapInvalid(
        plugin,
        hook,
        `the listener is ${kindOf(fn)}, not a function`,
        `Write hooks.${hook}.tap(${first}listener); the kernel knows whose tap it is.`,
      );
    }
    if (unknown !== undefined) {
      throw tapInvalid(
        plugin,
        hook,
        `"${unknown}" is no option of a tap`,
        "Write { enforce: 'pre' } or { enforce: 'post' }, or list plugins in \"requires\".",
      );
    }
    if (enforce !== undefined && !Object.hasOwn(enforced, enforce)) {
      throw tapInvalid(
        plugin,
        hook,
        `enforce is ${String(enforce)}`,
        "Write 'pre' or 'post', or leave it out.",
      );
    }
    const stage = phases
      ? phases.indexOf(phase!) * PHASE + this.#rankOf(plugin)
      : (enforce && enforced[enforce]) || 0;
    const tap: Tap = {
      plugin,
      fn: this.#wrap(plugin, hook, kind, fn as Listener),
      ...(enforce === undefined ? {} : { enforce }),
      ...(phases ? { phase: phase! } : {}),
    };
    return { tap, stage };
  }

  #wrap(plugin: string, hook: string, kind: Kind, fn: Listener): Listener {
    const count = this.#counter(plugin, hook);
    if (kind === 'sync' || kind === 'sync-waterfall') {
      return (...values) => {
        const start = performance.now();
        try {
          return synchronous(fn(...values), plugin, hook);
        } catch (error) {
          return this.#failed(plugin, hook, error);
        } finally {
          count(start);
        }
      };
    }
    return async (...values) => {
      if (hook === 'onModelLoad' && isTraining(values[1]) && !this.#trains(plugin)) {
        return undefined;
      }
      const start = performance.now();
      const running = { plugin, hook };
      this.#running.add(running);
      try {
        return await fn(...values);
      } catch (error) {
        return this.#failed(plugin, hook, error);
      } finally {
        this.#running.delete(running);
        count(start);
      }
    };
  }

  #failed(plugin: string, hook: string, error: unknown): undefined {
    // a sink of figures that is down must not stop a training
    if (hook === 'onMetrics') {
      if (!this.#warned.has(plugin)) {
        this.#log.warn(
          `${plugin} failed in onMetrics: ${messageOf(error)} (its later failures are not shown)`,
        );
      }
      this.#warned.add(plugin);
      return undefined;
    }
    throw attributed(error, plugin, hook);
  }

  #counter(plugin: string, hook: string): (start: number) => void {
    const key = `${plugin}\n${hook}`;
    return (start) => {
      const { calls, milliseconds } = this.#times.get(key) ?? { calls: 0, milliseconds: 0 };
      const spent = milliseconds + performance.now() - start;
      this.#times.set(key, { plugin, hook, calls: calls + 1, milliseconds: spent });
    };
  }
}

function isTraining(request: unknown): boolean {
  return (request as Partial<ModelRequest> | undefined)?.purpose === 'training';
}

/** The result of a synchronous listener. Throws LMFLOW_HOOK_TAP_INVALID for a promise. */
function synchronous(result: unknown, plugin: string, hook: string): unknown {
  if (!isThenable(result)) return result;
  result.then(undefined, () => undefined);
  throw tapInvalid(
    plugin,
    hook,
    'the listener returned a promise, which nobody waits for',
    'Tap this hook with a synchronous listener.',
  );
}

/** Whether somebody should wait for it. */
export function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
