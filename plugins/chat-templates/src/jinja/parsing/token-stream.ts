// Tokens with a place in them, and what parsers ask of it.
import { JinjaFault } from '../fault.ts';
import type { Token, TokenType } from './lexer.ts';

/** Reads tokens one by one. */
export class TokenStream {
  private readonly tokens: readonly Token[];
  private at = 0;

  constructor(tokens: readonly Token[]) {
    this.tokens = tokens;
  }

  get current(): Token {
    return this.tokens[this.at]!;
  }

  get following(): Token {
    return this.tokens[Math.min(this.at + 1, this.tokens.length - 1)]!;
  }

  next(): Token {
    const token = this.current;
    if (token.type !== 'end') this.at++;
    return token;
  }

  is(type: TokenType, value?: string): boolean {
    const { current } = this;
    return current.type === type && (value === undefined || current.value === value);
  }

  isOperator(...values: readonly string[]): boolean {
    return this.current.type === 'operator' && values.includes(this.current.value);
  }

  isName(...values: readonly string[]): boolean {
    return this.current.type === 'name' && values.includes(this.current.value);
  }

  /** Whether it was there. */
  skip(type: TokenType, value?: string): boolean {
    const there = this.is(type, value);
    if (there) this.next();
    return there;
  }

  expect(type: TokenType, value?: string): Token {
    if (!this.is(type, value)) throw this.unexpected(value ?? type);
    return this.next();
  }

  unexpected(wanted: string): JinjaFault {
    const { type, value } = this.current;
    const found = value === '' || type === 'data' ? type.replace('-', ' of ') : `"${value}"`;
    return this.fault(`${found} where ${wanted} is expected`);
  }

  fault(message: string): JinjaFault {
    return new JinjaFault('syntax', message, this.current.line);
  }
}
