// Source -> tokens, with trim_blocks and lstrip_blocks as transformers sets them. What the tokens
// mean is the parser's business.
import { JinjaFault } from '../fault.ts';
import { stringLiteral } from './string-literal.ts';

/** What a token is; `operator` and `name` go by their value. */
export type TokenType =
  | 'data'
  | 'begin-block'
  | 'end-block'
  | 'begin-variable'
  | 'end-variable'
  | 'name'
  | 'string'
  | 'integer'
  | 'float'
  | 'operator'
  | 'end';

/** A piece of the source. */
export interface Token {
  readonly type: TokenType;
  readonly value: string;
  /** From 1. */
  readonly line: number;
}

/** Python's white space, as a class of a regular expression. */
export const SPACE =
  '[\\t-\\r\\x1c-\\x20\\x85\\xa0\\u1680\\u2000-\\u200a\\u2028\\u2029\\u202f\\u205f\\u3000]';
const TRAILING_SPACE = new RegExp(`${SPACE}+$`);
const ONLY_SPACE = new RegExp(`^${SPACE}+$`);

const OPENING = new RegExp(
  `\\{%([-+]?)${SPACE}*raw${SPACE}*(?:-%\\}${SPACE}*|%\\})|\\{([%{#])([-+]?)`,
  'g',
);
const COMMENT_END = new RegExp(`\\+#\\}|-#\\}${SPACE}*|#\\}\\n?`, 'g');
const RAW_END = new RegExp(
  `\\{%([-+]?)${SPACE}*endraw${SPACE}*(?:\\+%\\}|-%\\}${SPACE}*|%\\}\\n?)`,
  'g',
);
const BLOCK_END = new RegExp(`\\+%\\}|-%\\}${SPACE}*|%\\}\\n?`, 'y');
const VARIABLE_END = new RegExp(`-\\}\\}${SPACE}*|\\}\\}`, 'y');

const RULES: readonly (readonly [type: TokenType | 'space', pattern: RegExp])[] = [
  ['space', new RegExp(`${SPACE}+`, 'y')],
  ['float', /(?<!\.)(?:\d+_)*\d+(?:(?:\.(?:\d+_)*\d+)?[eE][+-]?(?:\d+_)*\d+|\.(?:\d+_)*\d+)/y],
  [
    'integer',
    /0[bB](?:_?[01])+|0[oO](?:_?[0-7])+|0[xX](?:_?[\da-fA-F])+|[1-9](?:_?\d)*|0(?:_?0)*/y,
  ],
  ['name', /[\p{L}\p{N}\p{M}\p{Pc}]+/uy],
  ['string', /'[^'\\]*(?:\\[^][^'\\]*)*'|"[^"\\]*(?:\\[^][^"\\]*)*"/y],
  ['operator', /\/\/|\*\*|==|!=|>=|<=|[+\-*/%~()[\]{}><=.:|,;]/y],
];
const IDENTIFIER = /^[\p{XID_Start}_]\p{XID_Continue}*$/u;
const CLOSING: Readonly<Record<string, string>> = { '(': ')', '[': ']', '{': '}' };

/** Throws the fault `syntax`. */
export function tokenize(source: string): Token[] {
  return new Lexer(source).run();
}

class Lexer {
  private readonly source: string;
  private readonly tokens: Token[] = [];
  private at = 0;
  private line = 1;
  /** What was read last ended with a line break. */
  private lineStarts = true;

  constructor(source: string) {
    // as Jinja2: one kind of line break, and none at the end
    this.source = source.replace(/\r\n?/g, '\n').replace(/\n$/, '');
  }

  run(): Token[] {
    while (this.at < this.source.length) this.outside();
    this.push('end', '');
    return this.tokens;
  }

  /** Data up to the next tag, and the tag. */
  private outside(): void {
    OPENING.lastIndex = this.at;
    const found = OPENING.exec(this.source);
    const data = this.source.slice(this.at, found?.index);
    if (!found) {
      this.push('data', data);
      this.advance(this.source.length);
      return;
    }
    const [, rawSign, kind, sign = rawSign ?? ''] = found;
    this.push('data', this.beforeTag(data, kind === undefined ? rawSign! : sign, kind === '{'));
    this.advance(OPENING.lastIndex);
    if (kind === undefined) this.raw();
    else if (kind === '#') this.comment();
    else this.inside(kind === '%' ? 'block' : 'variable');
  }

  /** `-` takes the white space before a tag; a block alone in its line takes its indentation. */
  private beforeTag(data: string, sign: string, variable: boolean): string {
    if (sign === '-') return data.replace(TRAILING_SPACE, '');
    if (sign === '+' || variable) return data;
    const start = data.lastIndexOf('\n') + 1;
    if (start === 0 && !this.lineStarts) return data;
    return ONLY_SPACE.test(data.slice(start)) ? data.slice(0, start) : data;
  }

  private comment(): void {
    COMMENT_END.lastIndex = this.at;
    if (!COMMENT_END.exec(this.source)) throw this.fault('a comment has no end');
    this.advance(COMMENT_END.lastIndex);
  }

  private raw(): void {
    RAW_END.lastIndex = this.at;
    const found = RAW_END.exec(this.source);
    if (!found) throw this.fault('{% raw %} has no {% endraw %}');
    this.push('data', this.beforeTag(this.source.slice(this.at, found.index), found[1]!, false));
    this.advance(RAW_END.lastIndex);
  }

  private inside(kind: 'block' | 'variable'): void {
    this.push(`begin-${kind}`, '');
    const end = kind === 'block' ? BLOCK_END : VARIABLE_END;
    const open: string[] = [];
    for (;;) {
      end.lastIndex = this.at;
      if (open.length === 0 && end.test(this.source)) {
        this.push(`end-${kind}`, '');
        this.advance(end.lastIndex);
        return;
      }
      this.token(kind, open);
    }
  }

  private token(kind: string, open: string[]): void {
    for (const [type, pattern] of RULES) {
      pattern.lastIndex = this.at;
      const value = pattern.exec(this.source)?.[0];
      if (value === undefined) continue;
      if (type === 'operator') this.balance(value, open);
      if (type !== 'space') this.push(type, this.tokenValue(type, value));
      this.advance(pattern.lastIndex);
      return;
    }
    if (this.at >= this.source.length) throw this.fault(`a ${kind} tag has no end`);
    throw this.fault(`unexpected character "${this.source[this.at]}"`);
  }

  private balance(operator: string, open: string[]): void {
    if (CLOSING[operator] !== undefined) open.push(CLOSING[operator]);
    else if (/^[)\]}]$/.test(operator) && open.pop() !== operator) {
      throw this.fault(`unexpected "${operator}"`);
    }
  }

  private tokenValue(type: TokenType, text: string): string {
    if (type === 'string') return stringLiteral(text.slice(1, -1));
    if (type === 'integer' || type === 'float') return text.replaceAll('_', '');
    if (type === 'name' && !IDENTIFIER.test(text)) throw this.fault(`"${text}" is no name`);
    return text;
  }

  private push(type: TokenType, value: string): void {
    if (type !== 'data' || value !== '') this.tokens.push({ type, value, line: this.line });
  }

  private advance(to: number): void {
    for (let at = this.at; at < to; at++) if (this.source[at] === '\n') this.line++;
    if (to > this.at) this.lineStarts = this.source[to - 1] === '\n';
    this.at = to;
  }

  private fault(message: string): JinjaFault {
    return new JinjaFault('syntax', message, this.line);
  }
}
