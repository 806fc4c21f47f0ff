// Which tokens of a tokenizer are control tokens.
import type { Tokenizer } from '@lmflow/sdk';

/** Asks a tokenizer once for each token. */
export class SpecialTokens {
  readonly #tokenizer: Tokenizer;
  readonly #known = new Map<number, boolean>();

  constructor(tokenizer: Tokenizer) {
    this.#tokenizer = tokenizer;
  }

  /** Whether a token is a control token: it vanishes when special tokens are skipped. */
  has(id: number): boolean {
    let special = this.#known.get(id);
    if (special === undefined) {
      const { eosId, bosId } = this.#tokenizer;
      special = id === eosId || id === bosId || this.#vanishes(id);
      this.#known.set(id, special);
    }
    return special;
  }

  #vanishes(id: number): boolean {
    const shown = this.#tokenizer.decode([id], { skipSpecialTokens: true });
    return shown === '' && this.#tokenizer.decode([id]) !== '';
  }
}
