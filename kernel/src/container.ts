// One kernel's services: a tsyringe child container of its own, so that nothing is shared with
// another kernel. Instances are made once, at the first resolve, and disposed in reverse order of
// making.
import { isLMFlowError, type Resolve, type Token } from '@lmflow/sdk';
import { container as root, type DependencyContainer } from 'tsyringe';
import { serviceFailed, tokenCycle, tokenDuplicate, tokenMissing } from './errors.ts';

/** Services by token. */
export class Services {
  readonly #container: DependencyContainer = root.createChildContainer();
  readonly #providers = new Map<string, string>();
  readonly #made = new Map<string, unknown>();
  readonly #making: string[] = [];

  /** Registers a factory. Throws LMFLOW_TOKEN_DUPLICATE. */
  provide<T>(token: Token<T>, plugin: string, factory: (resolve: Resolve) => T): void {
    const other = this.#providers.get(token.name);
    if (other !== undefined) throw tokenDuplicate(token.name, other, plugin);
    this.#providers.set(token.name, plugin);
    const resolve: Resolve = (wanted) => this.resolve(wanted, plugin);
    this.#container.register<T>(token.name, { useFactory: () => factory(resolve) });
  }

  /**
   * The service, made where it is asked for first. Throws LMFLOW_TOKEN_MISSING, LMFLOW_TOKEN_CYCLE.
   */
  resolve<T>(token: Token<T>, askedBy: string): T {
    const { name } = token;
    if (this.#made.has(name)) return this.#made.get(name) as T;
    if (!this.#providers.has(name)) throw tokenMissing(token, askedBy);
    if (this.#making.includes(name)) {
      throw tokenCycle([...this.#making.slice(this.#making.indexOf(name)), name]);
    }
    this.#making.push(name);
    try {
      const instance = this.#container.resolve<T>(name);
      this.#made.set(name, instance);
      return instance;
    } catch (error) {
      if (isLMFlowError(error)) throw error;
      throw serviceFailed(name, this.#providers.get(name)!, error);
    } finally {
      this.#making.pop();
    }
  }

  /** Whether somebody provides it. */
  has(token: Token<unknown>): boolean {
    return this.#providers.has(token.name);
  }

  /** Token name -> plugin. */
  providers(): ReadonlyMap<string, string> {
    return this.#providers;
  }

  /** Disposes everything that was made, the latest first; returns what failed. */
  async dispose(): Promise<unknown[]> {
    const failures: unknown[] = [];
    for (const instance of [...this.#made.values()].reverse()) {
      try {
        const made = (await instance) as { dispose?: unknown } | null | undefined;
        if (typeof made?.dispose === 'function') await (made as { dispose(): unknown }).dispose();
      } catch (error) {
        failures.push(error);
      }
    }
    this.#made.clear();
    this.#container.clearInstances();
    return failures;
  }
}
