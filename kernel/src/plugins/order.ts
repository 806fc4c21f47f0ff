// The order in which plugins are applied: after those they require; the order of the list
// otherwise.
import type { Plugin } from '@lmflow/sdk';
import { pluginCycle, requiresMissing } from '../errors.ts';

/** A stable topological order. Throws LMFLOW_PLUGIN_REQUIRES_MISSING, LMFLOW_PLUGIN_CYCLE. */
export function orderPlugins(plugins: readonly Plugin[]): Plugin[] {
  const names = new Set(plugins.map(({ name }) => name));
  for (const { name, requires = [] } of plugins) {
    const missing = requires.filter((required) => !names.has(required));
    if (missing.length > 0) throw requiresMissing(name, missing);
  }
  const ordered: Plugin[] = [];
  const placed = new Set<string>();
  let waiting = [...plugins];
  while (waiting.length > 0) {
    const next = waiting.find(({ requires = [] }) =>
      requires.every((required) => placed.has(required)),
    );
    if (!next) throw pluginCycle(waiting.map(({ name }) => name));
    ordered.push(next);
    placed.add(next.name);
    waiting = waiting.filter((plugin) => plugin !== next);
  }
  return ordered;
}

/** An order that does not depend on the list: after those they require, otherwise by name. */
export function canonicalOrder(plugins: readonly Plugin[]): Plugin[] {
  return orderPlugins([...plugins].sort((a, b) => (a.name < b.name ? -1 : 1)));
}
