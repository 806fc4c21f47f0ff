// Whether a value stands in a printed text, however a template writes it: white space aside, plain or
// escaped as JSON, a call as JSON, as XML or in a syntax of its own.
import { JsonNumber, stringifyJson } from '@lmflow/sdk';
import type { CallParts } from './answer-parts.ts';

/** A text that was printed, to be searched. */
export class PrintedText {
  private readonly text: string;

  constructor(text: string) {
    this.text = folded(text);
  }

  /** Whether a text is in it, but for white space, which templates trim and add. */
  hasText(text: string): boolean {
    return this.find(text, 0) !== undefined;
  }

  /** Whether all calls are in it, in order, each with its arguments. */
  hasCalls(calls: readonly CallParts[]): boolean {
    let from = 0;
    for (const { name, arguments: values } of calls) {
      const end = this.find(name, from);
      if (end === undefined) return false;
      from = end;
      if (!this.hasValue(values)) return false;
    }
    return true;
  }

  /** Whether a value's keys and ends are in it. */
  hasValue(value: unknown): boolean {
    if (typeof value === 'string') return this.hasText(value);
    if (typeof value === 'boolean') {
      return this.hasAny(value ? ['true', 'True'] : ['false', 'False']);
    }
    if (value === null) return this.hasAny(['null', 'None']);
    if (Array.isArray(value)) return value.every((item) => this.hasValue(item));
    if (typeof value !== 'object' || value instanceof JsonNumber) {
      return this.hasText(stringifyJson(value) ?? '');
    }
    return Object.entries(value).every(([key, item]) => this.hasText(key) && this.hasValue(item));
  }

  private hasAny(texts: readonly string[]): boolean {
    return texts.some((text) => this.text.includes(text));
  }

  /** Where a text ends that begins behind `from`; undefined where it is not there. */
  private find(text: string, from: number): number | undefined {
    for (const form of [text, inJson(text), inAscii(inJson(text))]) {
      const wanted = folded(form);
      const at = this.text.indexOf(wanted, from);
      if (at >= 0) return at + wanted.length;
    }
    return undefined;
  }
}

const folded = (text: string): string => text.replace(/\s+/g, '');

const inJson = (text: string): string => JSON.stringify(text).slice(1, -1);

const inAscii = (text: string): string =>
  text.replace(/[^\0-\x7e]/g, (unit) => `\\u${unit.charCodeAt(0).toString(16).padStart(4, '0')}`);
