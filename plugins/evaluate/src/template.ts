// The templates of task files: `{{column}}`, `{{choices.0}}`, `{{question | trim}}`, and `{{one or
// other}}` for data with other names of columns. Chat templates,
// which are Jinja, are another plugin's.
import { capitalize, strip, substitute } from './python-text.ts';

/** A record of a data set. */
export type Doc = Readonly<Record<string, unknown>>;

const FIELD = /\{\{\s*([\w.]+(?:\s+or\s+[\w.]+)*)((?:\s*\|\s*\w+)*)\s*\}\}/g;

/** What may stand behind a `|`. */
const FILTERS: Readonly<Record<string, (text: string) => string>> = {
  trim: strip,
  capitalize,
  /** Ends with a full stop. */
  sentence: (text) => (strip(text) === '' ? '' : strip(text).replace(/\.?$/, '.')),
  /** `high_school_physics` -> `high school physics` */
  spaces: (text) => text.replaceAll('_', ' '),
  /** What stands before and after the gap of a sentence, which is an underscore. */
  beforeGap: (text) => text.slice(0, text.indexOf('_')),
  afterGap: (text) => text.slice(text.indexOf('_') + 1),
  wikihow,
  wikitext,
};

/** Names of all filters. */
export const filterNames: readonly string[] = Object.keys(FILTERS);

/** Why a template cannot be used; undefined where it can. */
export function templateProblem(template: string): string | undefined {
  const rest = template.replace(FIELD, (_, __, filters: string) =>
    namesOf(filters).every((name) => name in FILTERS) ? '' : _,
  );
  return rest.includes('{{')
    ? `"${template}" has a field that is not "{{column}}" or "{{column | filter}}" (filters: ${filterNames.join(', ')})`
    : undefined;
}

/** Whether a text has fields, or is no path of a column at all. */
export function isTemplate(text: string): boolean {
  return !/^\w[\w.]*$/.test(text);
}

/** A template's text for a record. `missing` throws where the record lacks a column. */
export function render(template: string, doc: Doc, missing: (column: string) => never): string {
  return template.replace(FIELD, (_, paths: string, filters: string) => {
    const [path, ...others] = paths.split(/\s+or\s+/) as [string, ...string[]];
    const other = others.find((one) => valueAt(doc, one) !== undefined) ?? path;
    const value = valueAt(doc, path) ?? valueAt(doc, other) ?? missing(paths);
    const text = Array.isArray(value) ? value.join('\n') : textOf(value);
    return filtered(text, namesOf(filters));
  });
}

function textOf(value: unknown): string {
  return typeof value === 'string' ? value : JSON.stringify(value);
}

/** A text behind filters, one after the other. */
export function filtered(text: string, names: readonly string[]): string {
  return names.reduce((before, name) => FILTERS[name]!(before), text);
}

/** The value of a path such as `choices.text` or `endings.0`. */
export function valueAt(doc: Doc, path: string): unknown {
  return path
    .split('.')
    .reduce<unknown>((value, key) => (value as Record<string, unknown> | null)?.[key], doc);
}

function namesOf(filters: string): string[] {
  return filters
    .split('|')
    .map((name) => name.trim())
    .filter((name) => name !== '');
}

/** HellaSwag's: WikiHow's markup is left out. */
function wikihow(text: string): string {
  return strip(text)
    .replaceAll(' [title]', '. ')
    .replace(/\[.*?\]/g, '')
    .replaceAll('  ', ' ');
}

/** WikiText's: tokens of its preparation become the text that they were. */
function wikitext(text: string): string {
  let found = text.replaceAll("s '", "s'");
  found = found.replace(/\/' [0-9]\//g, "/'[0-9]/");
  for (const mark of ['-', ',', '.']) found = found.replaceAll(` @${mark}@ `, mark);
  for (const mark of [':', ';', '.', '!', '?', ',']) {
    found = found.replaceAll(` ${mark} `, `${mark} `);
  }
  found = substitute(found, '\\(\\s*([^\\)]*?)\\s*\\)', '($1)');
  found = substitute(found, '\\[\\s*([^\\]]*?)\\s*\\]', '[$1]');
  found = substitute(found, '\\{\\s*([^}]*?)\\s*\\}', '{$1}');
  found = substitute(found, '"\\s*([^"]*?)\\s*"', '"$1"');
  found = substitute(found, "'\\s*([^']*?)\\s*'", "'$1'");
  for (const level of [4, 3, 2]) {
    found = found.replaceAll(new Array(level).fill('=').join(' '), '='.repeat(level));
  }
  return found
    .replaceAll(' \u00b0 ', '\u00b0')
    .replaceAll(' \n', '\n')
    .replaceAll('\n ', '\n')
    .replaceAll(' N ', ' 1 ')
    .replaceAll(" 's", "'s");
}
