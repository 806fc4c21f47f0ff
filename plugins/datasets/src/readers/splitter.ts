// Cuts a stream of JSON text into records without holding the whole: the elements of a top-level
// list, of the list `instances` (or `data`) of a top-level object, or several top-level objects one
// after another. parseJson does the rest, record by record.
import type { RecordOrigin } from '@lmflow/sdk';
import * as errors from '../errors.ts';
import { LONGEST_VALUE } from './chunks.ts';

/** The text of one record and where it begins. */
export interface JsonPiece {
  readonly text: string;
  readonly index: number;
  readonly line: number;
}

const LISTS = new Set(['instances', 'data']);
const QUOTE = 34;
const BACKSLASH = 92;
const isSpace = (code: number): boolean => code === 32 || code === 10 || code === 13 || code === 9;

/** What comes next outside of a value. */
type State = 'top' | 'element' | 'separator' | 'key' | 'colon' | 'member' | 'comma' | 'done';

/** Takes JSON text in chunks and gives the text of each record once it is whole. */
export class JsonSplitter {
  /** The other members of the object around the list, parsed: LMFlow's `type`. */
  readonly members: Record<string, unknown> = {};
  private readonly file: string;
  /** The chunk at hand, and where it begins in the file. */
  private text = '';
  private base = 0;
  /** Chunks before it with what is not whole yet; none is copied again. */
  private held: string[] = [];
  private heldLength = 0;
  /** In the chunk at hand. */
  private cursor = 0;
  private line = 1;
  private index = 0;
  private state: State = 'top';
  /** Where in the file the value being scanned begins, and its depth so far. */
  private start = -1;
  private startLine = 1;
  private depth = 0;
  private inString = false;
  private escaped = false;
  /** A top-level object, which may turn out to be a record itself. */
  private object: { start: number; line: number } | undefined;
  private wrapped = false;
  private key = '';

  constructor(file: string) {
    this.file = file;
  }

  /** Takes a chunk; gives the records that are complete now. Throws LMFLOW_DATASET_SYNTAX. */
  push(chunk: string): JsonPiece[] {
    this.hold();
    if (this.heldLength > LONGEST_VALUE) {
      throw this.problem(
        'one value is longer than 256 MB; a file holds a list of records, or one record a line (.jsonl)',
      );
    }
    this.base += this.text.length;
    this.text = chunk;
    this.cursor = 0;
    const pieces: JsonPiece[] = [];
    while (this.step(pieces));
    return pieces;
  }

  /** Keeps of the chunk at hand what is still needed: of a record or value that is not whole yet. */
  private hold(): void {
    const value = this.start >= 0 ? this.start : this.base + this.text.length;
    const from = this.object && !this.wrapped ? this.object.start : value;
    if (from >= this.base) [this.held, this.heldLength] = [[], 0];
    const kept = this.text.slice(Math.max(0, from - this.base));
    if (kept === '') return;
    this.held.push(kept);
    this.heldLength += kept.length;
  }

  /** The text from a place in the file, perhaps in a chunk before, to one in the chunk at hand. */
  private textFrom(start: number, end: number): string {
    if (start >= this.base) return this.text.slice(start - this.base, end);
    let first = this.held.length;
    let before = this.base;
    while (before > start) before -= this.held[--first]!.length;
    return (
      this.held
        .slice(first)
        .join('')
        .slice(start - before) + this.text.slice(0, end)
    );
  }

  /** Says that the text has ended; gives the last record. */
  end(): JsonPiece[] {
    const pieces = this.push('\n');
    if (this.start >= 0) {
      throw this.problem(
        `the file ends in the middle of a value that begins at line ${this.startLine}; it seems cut off`,
      );
    }
    if (this.state !== 'top' && this.state !== 'done') {
      const missing = this.object && !this.wrapped ? "'}' or another key" : "']' or another record";
      throw this.problem(`the file ends where ${missing} is missing; it seems cut off`);
    }
    return pieces;
  }

  /** One token or value; false when the text at hand is used up. */
  private step(pieces: JsonPiece[]): boolean {
    if (this.start >= 0) return this.scanValue(pieces);
    let code = this.text.charCodeAt(this.cursor);
    while (this.cursor < this.text.length && isSpace(code)) {
      if (code === 10) this.line++;
      code = this.text.charCodeAt(++this.cursor);
    }
    if (this.cursor >= this.text.length) return false;
    const char = this.text[this.cursor]!;
    this.take(char, pieces);
    return true;
  }

  private take(char: string, pieces: JsonPiece[]): void {
    const wrong = (expected: string): Error =>
      this.problem(
        `expected ${expected}, found ${JSON.stringify(this.text.slice(this.cursor, this.cursor + 20).trim())}`,
      );
    switch (this.state) {
      case 'top':
        if (char === '[' && this.index === 0) return this.advance('element');
        if (char !== '{') throw wrong('a list [...] or an object {...}');
        this.object = { start: this.base + this.cursor, line: this.line };
        return this.advance('key');
      case 'element':
        if (char === ']' && this.index === 0) return this.advance(this.wrapped ? 'comma' : 'done');
        if (char === ',' || char === ']') throw wrong('a record (is there a comma too many?)');
        return this.begin();
      case 'separator':
        if (char === ',') return this.advance('element');
        if (char === ']') return this.advance(this.wrapped ? 'comma' : 'done');
        throw wrong("',' or ']' after a record");
      case 'key':
        if (char === '}') return this.close(pieces);
        if (char !== '"') throw wrong('a key in double quotes');
        return this.begin();
      case 'colon':
        if (char !== ':') throw wrong(`':' after the key ${JSON.stringify(this.key)}`);
        return this.advance('member');
      case 'member':
        if (char !== '[' || !LISTS.has(this.key) || this.index > 0) return this.begin();
        this.wrapped = true;
        return this.advance('element');
      case 'comma':
        if (char === '}') return this.close(pieces);
        if (char !== ',') throw wrong("',' or '}'");
        return this.advance('key');
      default:
        throw wrong('the end of the file');
    }
  }

  private advance(state: State): void {
    this.cursor++;
    this.state = state;
  }

  private begin(): void {
    this.start = this.base + this.cursor;
    this.startLine = this.line;
    this.depth = 0;
    this.inString = false;
    this.escaped = false;
  }

  private close(pieces: JsonPiece[]): void {
    this.cursor++;
    this.state = this.wrapped ? 'done' : 'top';
    if (!this.wrapped) {
      pieces.push({
        text: this.textFrom(this.object!.start, this.cursor),
        index: this.index++,
        line: this.object!.line,
      });
    }
    this.object = undefined;
  }

  /** Moves through the value that begins at `start`; false when its end is not here yet. */
  private scanValue(pieces: JsonPiece[]): boolean {
    const { text } = this;
    for (let at = this.cursor; at < text.length; at++) {
      const code = text.charCodeAt(at);
      if (code === 10) this.line++;
      if (this.inString) {
        if (this.escaped) this.escaped = false;
        else if (code === BACKSLASH) this.escaped = true;
        else if (code === QUOTE) {
          this.inString = false;
          if (this.depth === 0) return this.finish(at + 1, pieces);
        }
      } else if (code === QUOTE) this.inString = true;
      else if (code === 123 || code === 91) this.depth++;
      else if (code === 125 || code === 93) {
        if (this.depth === 0) return this.finish(at, pieces);
        if (--this.depth === 0) return this.finish(at + 1, pieces);
      } else if (this.depth === 0 && (code === 44 || isSpace(code))) {
        if (code === 10) this.line--;
        return this.finish(at, pieces);
      }
    }
    this.cursor = text.length;
    return false;
  }

  private finish(end: number, pieces: JsonPiece[]): true {
    const { start } = this;
    this.start = -1;
    this.cursor = end;
    if (this.state === 'key') {
      this.key = this.parse(this.textFrom(start, end)) as string;
      this.state = 'colon';
    } else if (this.state === 'member') {
      if (this.key === 'type') this.members[this.key] = this.parse(this.textFrom(start, end));
      this.state = 'comma';
    } else {
      pieces.push({ text: this.textFrom(start, end), index: this.index++, line: this.startLine });
      this.state = 'separator';
    }
    return true;
  }

  private parse(text: string): unknown {
    try {
      return JSON.parse(text);
    } catch (cause) {
      throw errors.syntax(this.origin(), `is not valid JSON: ${(cause as Error).message}`, {
        cause,
      });
    }
  }

  private origin(): RecordOrigin {
    return { file: this.file, line: this.line };
  }

  private problem(text: string): Error {
    return errors.syntax(this.origin(), `is not valid JSON: ${text}`);
  }
}
