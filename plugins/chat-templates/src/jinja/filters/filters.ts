// Jinja2's filters by name, with transformers' tojson. Those that are not here are told apart: what
// Jinja2 has, and what nobody has.
import { JinjaFault, unsupported } from '../fault.ts';
import type { Filter, Filters } from './filter.ts';
import { scalarFilters } from './scalars.ts';
import { sequenceFilters } from './sequences.ts';
import { textFilters } from './texts.ts';

const all: Filters = { ...textFilters, ...sequenceFilters, ...scalarFilters };

const NOT_HERE = ['pprint', 'random', 'striptags', 'urlize', 'wordwrap', 'xmlattr'];

/** Whether Jinja2 has a filter. */
export const isFilter = (name: string): boolean =>
  Object.hasOwn(all, name) || NOT_HERE.includes(name);

/** A filter by its name; throws where there is none. */
export function filterNamed(name: string): Filter {
  if (Object.hasOwn(all, name)) return all[name]!;
  if (NOT_HERE.includes(name)) throw unsupported(`the filter ${name}`);
  throw new JinjaFault('runtime', `there is no filter '${name}'`);
}
