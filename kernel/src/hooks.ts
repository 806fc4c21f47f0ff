// One kernel's hooks: made with tapable, every tap wrapped once, so that a failure names plugin and
// hook and times are kept. Who taps what is the plugins' business; when hooks are called is the
// services' (trainer, datasets, ...).
import { isLMFlowError, messageOf, type Hooks, type Logger } from '@lmflow/sdk';
import {
  AsyncSeriesBailHook,
  AsyncSeriesHook,
  AsyncSeriesWaterfallHook,
  SyncHook,
  SyncWaterfallHook,
} from 'tapable';
import { frozen, hookFailed, hookInvalid, tapInvalid } from './errors.ts';

/** What a tap has cost so far. */
export interface TapTime {
  readonly plugin: string;
  readonly hook: string;
  readonly calls: number;
  readonly milliseconds: number;
}

/** A tap, as `lmflow inspect` shows it. */
export interface TapReport {
  readonly plugin: string;
  readonly stage: number;
}

// The part of tapable's Hook that is used here.
interface TapRecord {
  name: string;
  type: string;
  stage?: number;
  before?: unknown;
  fn: (...values: unknown[]) => unknown;
}
interface AnyHook {
  readonly taps: readonly TapRecord[];
  intercept(interceptor: { register(tap: TapRecord): TapRecord }): void;
}

function builtIn(): Hooks {
  return {
    onConfig: new SyncWaterfallHook(['config']),
    onDataset: new AsyncSeriesWaterfallHook<[unknown, unknown]>(['dataset', 'request']),
    onSamples: new AsyncSeriesWaterfallHook<[unknown, unknown]>(['samples', 'request']),
    onModelLoad: new AsyncSeriesWaterfallHook<[unknown, unknown]>(['model', 'request']),
    onPlan: new AsyncSeriesHook(['planning']),
    onBatch: new AsyncSeriesWaterfallHook<[unknown, unknown]>(['batch', 'step']),
    onStepStart: new AsyncSeriesHook(['step']),
    onStep: new AsyncSeriesHook(['step']),
    onEvaluate: new AsyncSeriesHook(['evaluation']),
    onSave: new AsyncSeriesHook(['checkpoint']),
    onRestore: new AsyncSeriesHook(['checkpoint']),
    onGenerate: new AsyncSeriesBailHook(['request']),
    onMetrics: new SyncHook(['metrics']),
    onDoctor: new AsyncSeriesHook(['checks']),
    onClose: new AsyncSeriesHook<[]>([]),
  } as unknown as Hooks;
}

/** The hooks of one kernel and what is known of their taps. */
export class HookBoard {
  /** What plugins see; reading a name that is no hook is remembered, for a better message. */
  readonly hooks: Hooks;
  /** The last name that was read and is no hook. */
  missed: string | undefined;
  /** Whose apply() is running: taps belong to it, whatever name they give. */
  current: string | undefined;
  frozen = false;
  readonly #all = new Map<string, AnyHook>();
  readonly #times = new Map<
    string,
    { plugin: string; hook: string; calls: number; milliseconds: number }
  >();
  readonly #warned = new Set<string>();
  readonly #log: Logger;

  constructor(log: Logger) {
    this.#log = log;
    const hooks = builtIn();
    this.hooks = new Proxy(hooks, {
      get: (target, name, receiver): unknown => {
        if (typeof name === 'string' && !(name in target)) this.missed = name;
        return Reflect.get(target, name, receiver) as unknown;
      },
      set: () => false,
      deleteProperty: () => false,
      defineProperty: () => false,
    });
    this.#target = hooks as unknown as Record<string, unknown>;
    for (const [name, hook] of Object.entries(hooks) as [string, unknown][]) {
      this.#attach(name, hook as AnyHook);
    }
  }

  readonly #target: Record<string, unknown>;

  /** Names of all hooks. */
  names(): string[] {
    return [...this.#all.keys()];
  }

  /** Adds a plugin's own hook. Throws LMFLOW_HOOK_INVALID. */
  define(plugin: string, name: string, hook: unknown): void {
    if (this.#all.has(name)) {
      throw hookInvalid(plugin, name, 'there is a hook of this name already');
    }
    if (typeof hook !== 'object' || hook === null || !('intercept' in hook) || !('taps' in hook)) {
      throw hookInvalid(plugin, name, 'what is given is not a hook');
    }
    this.#attach(name, hook as AnyHook);
    this.#target[name] = hook;
  }

  /** Wrapped taps of a hook, in the order they run. */
  taps(
    name: string,
  ): readonly { readonly plugin: string; readonly fn: (...values: unknown[]) => unknown }[] {
    return (this.#all.get(name)?.taps ?? []).map((tap) => ({ plugin: tap.name, fn: tap.fn }));
  }

  /** Taps of every hook that has any. */
  report(): Readonly<Record<string, readonly TapReport[]>> {
    const tapped = [...this.#all].filter(([, hook]) => hook.taps.length > 0);
    return Object.fromEntries(
      tapped.map(([name, hook]) => [
        name,
        hook.taps.map((tap) => ({ plugin: tap.name, stage: tap.stage ?? 0 })),
      ]),
    );
  }

  /** Times of all taps that ran, the longest first. */
  times(): TapTime[] {
    return [...this.#times.values()]
      .sort((a, b) => b.milliseconds - a.milliseconds)
      .map((time) => ({ ...time }));
  }

  #attach(name: string, hook: AnyHook): void {
    this.#all.set(name, hook);
    hook.intercept({ register: (tap) => this.#register(name, tap) });
  }

  #register(hook: string, tap: TapRecord): TapRecord {
    const plugin = this.current ?? tap.name;
    if (this.frozen || this.current === undefined) throw frozen(`tapped ${hook}`, plugin);
    if (tap.before !== undefined) {
      throw tapInvalid(
        plugin,
        hook,
        '"before" is not offered, since it depends on who else is loaded',
        'use stage: Stage.Early or Stage.Late of @lmflow/sdk, or "requires"',
      );
    }
    if (tap.type === 'async') {
      throw tapInvalid(plugin, hook, 'tapAsync is not offered', 'use tapPromise');
    }
    if (typeof tap.fn !== 'function') {
      throw tapInvalid(
        plugin,
        hook,
        'the listener is not a function',
        `hooks.${hook}.${tap.type === 'promise' ? 'tapPromise' : 'tap'}(name, listener)`,
      );
    }
    if (tap.stage !== undefined && !Number.isFinite(tap.stage)) {
      throw tapInvalid(
        plugin,
        hook,
        `the stage ${String(tap.stage)} is not a number`,
        'use Stage.Early, Stage.Normal or Stage.Late of @lmflow/sdk',
      );
    }
    const fn =
      tap.type === 'promise'
        ? this.#wrapPromise(plugin, hook, tap.fn)
        : this.#wrapSync(plugin, hook, tap.fn);
    return { ...tap, name: plugin, fn };
  }

  #wrapSync(plugin: string, hook: string, fn: TapRecord['fn']): TapRecord['fn'] {
    return (...values) => {
      const start = performance.now();
      try {
        const result = fn(...values);
        if (isThenable(result)) {
          result.then(undefined, () => undefined);
          throw tapInvalid(
            plugin,
            hook,
            'the listener given to tap() returned a promise, which nobody would wait for',
            hook === 'onMetrics' || hook === 'onConfig'
              ? 'this hook is synchronous'
              : 'use tapPromise',
          );
        }
        return result;
      } catch (error) {
        return this.#failed(plugin, hook, error);
      } finally {
        this.#count(plugin, hook, start);
      }
    };
  }

  #wrapPromise(plugin: string, hook: string, fn: TapRecord['fn']): TapRecord['fn'] {
    return async (...values) => {
      const start = performance.now();
      try {
        return await fn(...values);
      } catch (error) {
        return this.#failed(plugin, hook, error);
      } finally {
        this.#count(plugin, hook, start);
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
    throw attribute(error, plugin, hook);
  }

  #count(plugin: string, hook: string, start: number): void {
    const key = `${plugin}\n${hook}`;
    const time = this.#times.get(key) ?? { plugin, hook, calls: 0, milliseconds: 0 };
    time.calls += 1;
    time.milliseconds += performance.now() - start;
    this.#times.set(key, time);
  }
}

// An LMFlowError says what happened already and an abort is no failure: both stay themselves. The
// innermost hook counts.
function attribute(error: unknown, plugin: string, hook: string): unknown {
  if (error instanceof Error && error.name === 'AbortError') return error;
  if (!isLMFlowError(error)) return hookFailed(plugin, hook, error);
  error.plugin ??= plugin;
  error.hook ??= hook;
  return error;
}

function isThenable(value: unknown): value is PromiseLike<unknown> {
  return (
    typeof value === 'object' &&
    value !== null &&
    typeof (value as { then?: unknown }).then === 'function'
  );
}
