// One kernel's registries: the rows that plugins contributed, by table. Services: container.ts.
import type { Registry, Rows } from '@lmflow/sdk';
import { rowDuplicate } from './errors.ts';

interface Row {
  readonly name: string;
}

class Table implements Rows<Row> {
  readonly what: string;
  readonly #rows = new Map<string, { readonly row: Row; readonly plugin: string }>();

  constructor(what: string) {
    this.what = what;
  }

  add(row: Row, plugin: string): void {
    const other = this.#rows.get(row.name);
    if (other) throw rowDuplicate(this.what, row.name, other.plugin, plugin);
    this.#rows.set(row.name, { row, plugin });
  }

  get size(): number {
    return this.#rows.size;
  }

  get(name: string): Row | undefined {
    return this.#rows.get(name)?.row;
  }

  has(name: string): boolean {
    return this.#rows.has(name);
  }

  names(): string[] {
    return [...this.#rows.keys()];
  }

  pluginOf(name: string): string | undefined {
    return this.#rows.get(name)?.plugin;
  }

  *[Symbol.iterator](): Iterator<Row> {
    for (const { row } of this.#rows.values()) yield row;
  }
}

/** The tables of one kernel. */
export class Tables {
  readonly #tables = new Map<string, Table>();

  /** Adds a row. Throws LMFLOW_ROW_DUPLICATE. */
  add(registry: Registry<Row>, row: Row, plugin: string): void {
    this.#table(registry).add(row, plugin);
  }

  /** The rows of a table, none where nobody contributed any. */
  rows<R extends Row>(registry: Registry<R>): Rows<R> {
    return this.#table(registry) as unknown as Rows<R>;
  }

  /** What a plugin contributed: `optimizer lion`. */
  of(plugin: string): string[] {
    return [...this.#tables.values()].flatMap((table) =>
      table
        .names()
        .filter((name) => table.pluginOf(name) === plugin)
        .map((name) => `${table.what} ${name}`),
    );
  }

  #table({ name, what }: Registry<Row>): Table {
    const known = this.#tables.get(name) ?? new Table(what);
    this.#tables.set(name, known);
    return known;
  }
}
