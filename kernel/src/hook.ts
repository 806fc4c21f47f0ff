// One hook of a kernel: `tap` as plugins call it, in front of tapable's. Who may tap and how a tap is
// wrapped is in hooks.ts.
import type { Hooks, TapOptions } from '@lmflow/sdk';
import * as tapable from 'tapable';

/** A tap, as `lmflow inspect` shows it. */
export interface TapReport {
  readonly plugin: string;
  readonly enforce?: 'pre' | 'post';
  /** Of a phased hook. */
  readonly phase?: string;
}

/** A tap that has been called and has not settled. */
export interface RunningTap {
  readonly plugin: string;
  readonly hook: string;
}

/** How the taps of a hook follow one another. */
export type Kind = Hooks[keyof Hooks]['kind'];

/** A listener of any hook. */
export type Listener = (...values: unknown[]) => unknown;

/** A tap and its wrapped listener. */
export interface Tap extends TapReport {
  readonly fn: Listener;
}

/** The part of tapable's hooks that is used here. */
interface Inner {
  readonly taps: readonly unknown[];
  tap(options: { name: string; stage: number }, fn: Listener): void;
  tapPromise(options: { name: string; stage: number }, fn: Listener): void;
  call(...values: unknown[]): unknown;
  promise(...values: unknown[]): Promise<unknown>;
}

// tapable compiles a hook for a number of arguments; nobody passes more than these.
const names = ['first', 'second', 'third', 'fourth'] as never;

/** tapable's hook of each kind. A middleware hook composes its taps; tapable keeps their order. */
export const constructors: Readonly<Record<Kind, new (names: never) => unknown>> = {
  sync: tapable.SyncHook,
  'sync-waterfall': tapable.SyncWaterfallHook,
  series: tapable.AsyncSeriesHook,
  waterfall: tapable.AsyncSeriesWaterfallHook,
  middleware: tapable.AsyncSeriesHook,
  phased: tapable.AsyncSeriesHook,
};

/** Where a tap wants to stand. */
export interface Placing {
  readonly phase?: string;
  readonly enforce?: 'pre' | 'post';
  readonly phases?: readonly string[] | undefined;
  /** The first option that a tap does not have. */
  readonly unknown?: string | undefined;
}

/** Checks and wraps a tap. */
type Admit = (placing: Placing, fn: unknown) => { readonly tap: Tap; readonly stage: number };

/** One hook as plugins see it: `tap` in front of tapable's. */
export class Hook {
  readonly kind: Kind;
  readonly #inner: Inner;
  readonly #phases: readonly string[] | undefined;
  readonly #admit: Admit;
  readonly #byListener = new Map<unknown, Tap>();

  constructor(kind: Kind, phases: readonly string[] | undefined, admit: Admit) {
    this.kind = kind;
    this.#phases = phases;
    this.#admit = admit;
    this.#inner = new constructors[kind](names) as Inner;
  }

  /** In the order they run. */
  get taps(): readonly Tap[] {
    return (this.#inner.taps as readonly { readonly fn: unknown }[]).map(({ fn }) =>
      this.#byListener.get(fn)!,
    );
  }

  get tapped(): boolean {
    return this.#byListener.size > 0;
  }

  tap(...args: unknown[]): void {
    const phases = this.#phases;
    const [listener, options] = phases ? [args[1], {}] : [args[0], args[1] ?? {}];
    const { enforce, ...others } = options as TapOptions;
    const { tap, stage } = this.#admit(
      {
        phases,
        ...(phases ? { phase: args[0] as string } : {}),
        ...(enforce === undefined ? {} : { enforce }),
        unknown: Object.keys(others)[0],
      },
      listener,
    );
    this.#byListener.set(tap.fn, tap);
    const place = { name: tap.plugin, stage };
    if (this.kind === 'sync' || this.kind === 'sync-waterfall') this.#inner.tap(place, tap.fn);
    else this.#inner.tapPromise(place, tap.fn);
  }

  /** Of a synchronous hook. */
  call(...values: unknown[]): unknown {
    return this.#inner.call(...values);
  }

  /** Of an asynchronous hook. */
  async promise(...values: unknown[]): Promise<unknown> {
    if (this.kind !== 'middleware') return await this.#inner.promise(...values);
    const { taps } = this;
    const from = async (index: number): Promise<unknown> =>
      await taps[index]?.fn(...values, () => from(index + 1));
    return await from(0);
  }
}
