// json.dumps, for the filter tojson: as transformers sets it, it does not escape HTML.
import type { Budget } from '../budget.ts';
import { refused } from '../fault.ts';
import { compare } from './code-points.ts';
import { floatText } from './numbers.ts';
import { str } from './text.ts';
import { Dict, Sequence, WrittenNumber, textOf, typeName, type Value } from './value.ts';

/** The arguments of json.dumps. */
export interface JsonSettings {
  readonly ascii: boolean;
  /** What one level is indented by; undefined for one line. */
  readonly indent: string | undefined;
  readonly separators: readonly [item: string, key: string];
  readonly sortKeys: boolean;
}

// control characters are what it is about
// eslint-disable-next-line no-control-regex
const ESCAPED = /["\\\0-\x1f]/g;
const OTHER_THAN_ASCII = /[^\0-\x7e]/g;
const ESCAPES: Readonly<Record<string, string>> = {
  '"': '\\"',
  '\\': '\\\\',
  '\n': '\\n',
  '\r': '\\r',
  '\t': '\\t',
  '\f': '\\f',
  '\b': '\\b',
};

/** Throws for what json.dumps refuses. */
export function json(value: Value, settings: JsonSettings, budget: Budget): string {
  const text = new Writer(settings, budget).value(value, '\n');
  budget.make(text.length);
  return text;
}

class Writer {
  private readonly settings: JsonSettings;
  private readonly budget: Budget;

  constructor(settings: JsonSettings, budget: Budget) {
    this.settings = settings;
    this.budget = budget;
  }

  /** `line` is the line break of this level, with its indentation. */
  value(value: Value, line: string): string {
    this.budget.step();
    const text = textOf(value);
    if (text !== undefined) return this.text(text);
    if (value === null) return 'null';
    if (typeof value === 'boolean') return String(value);
    if (typeof value === 'bigint') return str(value);
    if (typeof value === 'number') return jsonFloat(value);
    if (value instanceof WrittenNumber) return value.text;
    const inner = this.settings.indent === undefined ? line : line + this.settings.indent;
    if (value instanceof Sequence) {
      const items = value.items.map((item) => this.value(item, inner));
      return this.group('[', items, ']', line, inner);
    }
    if (value instanceof Dict) {
      return this.group('{', this.entries(value, inner), '}', line, inner);
    }
    throw refused(`Object of type ${typeName(value)} is not JSON serializable`);
  }

  private group(
    open: string,
    items: readonly string[],
    close: string,
    line: string,
    inner: string,
  ): string {
    const [separator] = this.settings.separators;
    if (items.length === 0) return open + close;
    if (this.settings.indent === undefined) return open + items.join(separator) + close;
    return open + inner + items.join(separator + inner) + line + close;
  }

  private entries(dict: Dict, inner: string): string[] {
    const pairs = [...dict.pairs()];
    if (this.settings.sortKeys) {
      pairs.sort(([left], [right]) => {
        const [a, b] = [textOf(left), textOf(right)];
        if (a === undefined || b === undefined) throw refused('keys of mixed types are not sorted');
        return compare(a, b);
      });
    }
    return pairs.map(([key, value]) => {
      const name = this.text(jsonKey(key));
      return name + this.settings.separators[1] + this.value(value, inner);
    });
  }

  private text(text: string): string {
    // control characters are what it is about

    const escaped = text.replace(
      ESCAPED,
      (unit) => ESCAPES[unit] ?? `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    if (!this.settings.ascii) return `"${escaped}"`;
    const ascii = escaped.replace(
      OTHER_THAN_ASCII,
      (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`,
    );
    return `"${ascii}"`;
  }
}

function jsonFloat(value: number): string {
  if (Number.isNaN(value)) return 'NaN';
  if (!Number.isFinite(value)) return value > 0 ? 'Infinity' : '-Infinity';
  return floatText(value);
}

function jsonKey(key: Value): string {
  const text = textOf(key);
  if (text !== undefined) return text;
  if (key === null) return 'null';
  if (typeof key === 'boolean') return String(key);
  if (typeof key === 'bigint') return str(key);
  if (typeof key === 'number') return jsonFloat(key);
  throw refused(`keys must be str, int, float, bool or None, not ${typeName(key)}`);
}
