// Tokens -> statements: a whole template.
import { JinjaFault } from '../fault.ts';
import { ExpressionParser } from './expression-parser.ts';
import { tokenize } from './lexer.ts';
import type { Expression, FilterNode, MacroNode, Signature, Statement, Target } from './nodes.ts';
import { TokenStream } from './token-stream.ts';

/** Tags of Jinja2 that load other templates, or change how this one is printed. */
const REFUSED: readonly string[] = ['autoescape', 'block', 'extends', 'from', 'import', 'include'];

/** A template as statements. */
export interface ParsedTemplate {
  readonly statements: readonly Statement[];
  /** It has {% generation %}. */
  readonly hasTags: boolean;
}

/** Parses a source; throws the faults `syntax`, `unsupported` and `budget`. */
export function parseTemplate(source: string): ParsedTemplate {
  try {
    const parser = new StatementParser(new TokenStream(tokenize(source)));
    return { statements: parser.template(), hasTags: parser.hasTags };
  } catch (error) {
    if (error instanceof RangeError) throw new JinjaFault('budget', 'it is nested too deeply');
    throw error;
  }
}

class StatementParser extends ExpressionParser {
  /** Loops that `break` can leave: a macro begins anew. */
  private loops = 0;
  hasTags = false;

  template(): readonly Statement[] {
    const body = this.statements([]);
    if (!this.stream.is('end')) throw this.stream.unexpected('the end of the template');
    return body;
  }

  /** Up to one of the tags, whose name is then the current token. */
  private statements(ends: readonly string[]): Statement[] {
    const { stream } = this;
    const body: Statement[] = [];
    for (;;) {
      const { type, value, line } = stream.current;
      if (type === 'end') {
        if (ends.length > 0) throw stream.fault(`${ends.map(tag).join(' or ')} is missing`);
        return body;
      }
      stream.next();
      if (type === 'data') {
        body.push({ kind: 'output', line, items: [{ kind: 'constant', value }] });
      } else if (type === 'begin-variable') {
        body.push({ kind: 'output', line, items: [this.tuple()] });
        stream.expect('end-variable');
      } else {
        if (stream.isName(...ends)) return body;
        body.push(this.statement());
        stream.expect('end-block');
      }
    }
  }

  /** The body of a block and its end tags: `{% tag %}` is read up to its arguments. */
  private body(...ends: readonly string[]): Statement[] {
    this.stream.skip('operator', ':');
    this.stream.expect('end-block');
    return this.statements(ends);
  }

  /** As `body`, and the end tag is taken away. */
  private block(end: string): Statement[] {
    const body = this.body(end);
    this.stream.next();
    return body;
  }

  private statement(): Statement {
    const { stream } = this;
    const { value: name, line } = stream.expect('name');
    switch (name) {
      case 'for':
        return this.for(line);
      case 'if':
        return this.if(line);
      case 'set':
        return this.set(line);
      case 'macro': {
        const macro = stream.expect('name').value;
        return this.macro(line, macro, () => this.signature(), 'endmacro');
      }
      case 'call':
        return this.callBlock(line);
      case 'filter': {
        const filter = this.filters(undefined, true) as FilterNode;
        return { kind: 'filter-block', line, filter, body: this.block('endfilter') };
      }
      case 'with':
        return this.with(line);
      case 'generation':
        return this.generation(line);
      case 'print':
        return { kind: 'output', line, items: this.printed() };
      case 'break':
      case 'continue':
        if (this.loops === 0) throw stream.fault(`{% ${name} %} is outside of a loop`);
        return { kind: name, line };
      default:
    }
    const message = `{% ${name} %} is not supported here`;
    if (REFUSED.includes(name)) throw new JinjaFault('unsupported', message, line);
    throw new JinjaFault('syntax', `there is no tag {% ${name} %}, or it has no beginning`, line);
  }

  private printed(): Expression[] {
    const items: Expression[] = [];
    while (!this.stream.is('end-block')) {
      if (items.length > 0) this.stream.expect('operator', ',');
      items.push(this.expression());
    }
    return items;
  }

  private for(line: number): Statement {
    const { stream } = this;
    const target = this.target({ end: 'in' });
    stream.expect('name', 'in');
    const iterable = this.tuple({ withCondition: false, end: 'recursive' });
    const test = stream.skip('name', 'if') ? this.expression() : undefined;
    const recursive = stream.skip('name', 'recursive');
    this.loops++;
    const body = this.body('endfor', 'else');
    this.loops--;
    const otherwise = stream.next().value === 'else' ? this.block('endfor') : [];
    return { kind: 'for', line, target, iterable, test, recursive, body, otherwise };
  }

  private if(line: number): Statement {
    const { stream } = this;
    const test = this.tuple({ withCondition: false });
    const then = this.body('elif', 'else', 'endif');
    const { value, line: next } = stream.next();
    let otherwise: Statement[] = [];
    if (value === 'elif') otherwise = [this.if(next)];
    else if (value === 'else') otherwise = this.block('endif');
    return { kind: 'if', line, test, then, otherwise };
  }

  private set(line: number): Statement {
    const { stream } = this;
    const target = this.target({ withNamespace: true });
    if (stream.skip('operator', '=')) return { kind: 'set', line, target, value: this.tuple() };
    const filter = this.filters(undefined) as FilterNode | undefined;
    return { kind: 'set-block', line, target, filter, body: this.block('endset') };
  }

  private with(line: number): Statement {
    const { stream } = this;
    const values: [Target, Expression][] = [];
    while (!stream.is('end-block')) {
      if (values.length > 0) stream.expect('operator', ',');
      const target = this.target({ tuple: false });
      stream.expect('operator', '=');
      values.push([target, this.expression()]);
    }
    return { kind: 'with', line, values, body: this.block('endwith') };
  }

  private generation(line: number): Statement {
    this.hasTags = true;
    // the body is a function to Jinja2, which a loop outside of it cannot be left from
    const { loops } = this;
    this.loops = 0;
    const body = this.block('endgeneration');
    this.loops = loops;
    return { kind: 'generation', line, body };
  }

  private callBlock(line: number): Statement {
    const signature = this.stream.isOperator('(') ? this.signature() : { names: [], defaults: [] };
    const call = this.expression();
    if (call.kind !== 'call') throw this.stream.fault('{% call %} needs a call');
    const caller = this.macro(line, 'caller', () => signature, 'endcall');
    return { kind: 'call-block', line, call, caller };
  }

  private macro(line: number, name: string, signature: () => Signature, end: string): MacroNode {
    const names = new Set<string>();
    this.namesRead.push(names);
    const parameters = signature();
    const { loops } = this;
    this.loops = 0;
    const body = this.block(end);
    this.loops = loops;
    this.namesRead.pop();
    const special = new Set(
      ['caller', 'varargs', 'kwargs'].filter(
        (each) => names.has(each) && !parameters.names.includes(each),
      ),
    );
    return { kind: 'macro', line, name, signature: parameters, body, special };
  }

  private signature(): Signature {
    const { stream } = this;
    const names: string[] = [];
    const defaults: Expression[] = [];
    stream.expect('operator', '(');
    while (!stream.isOperator(')')) {
      if (names.length > 0) stream.expect('operator', ',');
      names.push(stream.expect('name').value);
      if (stream.skip('operator', '=')) defaults.push(this.expression());
      else if (defaults.length > 0) {
        throw stream.fault('a parameter without a default follows one with a default');
      }
    }
    stream.expect('operator', ')');
    return { names, defaults };
  }

  private target({ withNamespace = false, tuple = true, end = '' } = {}): Target {
    const { stream } = this;
    const items = [this.singleTarget(withNamespace)];
    if (!tuple || !stream.isOperator(',')) return items[0]!;
    while (stream.skip('operator', ',')) {
      if (stream.isOperator('=', ')') || stream.is('end-block') || stream.isName(end)) break;
      items.push(this.singleTarget(withNamespace));
    }
    return { kind: 'tuple', items };
  }

  private singleTarget(withNamespace: boolean): Target {
    const { stream } = this;
    if (stream.skip('operator', '(')) {
      const target = this.target({ withNamespace });
      stream.expect('operator', ')');
      return target;
    }
    const name = stream.expect('name').value;
    if (/^(?:true|false|none|True|False|None)$/.test(name)) {
      throw stream.fault(`${name} cannot be assigned to`);
    }
    if (!withNamespace || !stream.skip('operator', '.')) return { kind: 'name', name };
    return { kind: 'namespace', name, attribute: stream.expect('name').value };
  }
}

const tag = (name: string): string => `{% ${name} %}`;
