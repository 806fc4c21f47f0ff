// Tokens by id and ids by token, as the library has them.
import type { LoadedTokenizer } from './tokenizer-process.ts';

export class Vocabulary {
  /** One more than the highest id. */
  readonly size: number;
  /** Tokens that stand for no text. */
  readonly special: ReadonlySet<string>;
  /** Tokens that are found whole in a text. */
  readonly added: readonly string[];
  readonly #ids: ReadonlyMap<string, number>;
  readonly #tokens: ReadonlyMap<number, string>;

  constructor({ tokens, ids, added }: Pick<LoadedTokenizer, 'tokens' | 'ids' | 'added'>) {
    const idOf = new Map(tokens.map((token, index) => [token, ids[index]!]));
    for (const { content, id } of added) idOf.set(content, id);
    this.#ids = idOf;
    this.#tokens = new Map([...idOf].map(([token, id]) => [id, token]));
    this.special = new Set(added.filter(({ special }) => special).map(({ content }) => content));
    this.added = added.map(({ content }) => content).filter((content) => content !== '');
    let highest = -1;
    for (const id of this.#tokens.keys()) if (id > highest) highest = id;
    this.size = highest + 1;
  }

  tokenOf(id: number): string | undefined {
    return this.#tokens.get(id);
  }

  idOf(token: string): number | undefined {
    return this.#ids.get(token);
  }
}
