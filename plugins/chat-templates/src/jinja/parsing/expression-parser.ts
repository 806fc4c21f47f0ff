// Tokens -> expressions, by Jinja2's grammar and its order of operators.
import type {
  ArgumentNodes,
  BinaryOperator,
  CallNode,
  Comparison,
  Expression,
  FilterNode,
} from './nodes.ts';
import type { TokenStream } from './token-stream.ts';

const COMPARISONS: readonly string[] = ['==', '!=', '<', '<=', '>', '>='];
const CONSTANTS: Readonly<Record<string, null | boolean>> = {
  true: true,
  True: true,
  false: false,
  False: false,
  none: null,
  None: null,
};
const NO_ARGUMENTS: ArgumentNodes = { positional: [], named: [] };

/** Parses expressions of one stream. */
export class ExpressionParser {
  protected readonly stream: TokenStream;
  /** The names that each open macro reads, outermost first. */
  protected readonly namesRead: Set<string>[] = [];

  constructor(stream: TokenStream) {
    this.stream = stream;
  }

  expression(withCondition = true): Expression {
    return withCondition ? this.condition() : this.or();
  }

  /**
   * `a, b`, or one expression without a comma. Where `explicit`, the parentheses are there, and
   * nothing between them is the empty tuple.
   */
  tuple({ withCondition = true, explicit = false, end = '' } = {}): Expression {
    const { stream } = this;
    const items: Expression[] = [];
    let comma = false;
    for (;;) {
      if (items.length > 0) {
        if (!stream.isOperator(',')) break;
        stream.next();
        comma = true;
      }
      if (this.tupleEnds(end)) break;
      items.push(this.expression(withCondition));
    }
    if (!comma) {
      if (items.length > 0) return items[0]!;
      if (!explicit) throw stream.unexpected('an expression');
    }
    return { kind: 'tuple', items };
  }

  /** `|name(...)|...`; without a value for a filter block. */
  filters(value: Expression | undefined, inline = false): Expression | undefined {
    const { stream } = this;
    let node = value;
    let first = inline;
    while (first || stream.isOperator('|')) {
      if (!first) stream.next();
      first = false;
      const name = this.dottedName();
      const args = stream.isOperator('(') ? this.arguments() : NO_ARGUMENTS;
      const filter: FilterNode = { kind: 'filter', value: node, name, args };
      node = filter;
    }
    return node;
  }

  private tupleEnds(end: string): boolean {
    const { stream } = this;
    if (stream.is('end-variable') || stream.is('end-block') || stream.isOperator(')')) return true;
    return end !== '' && stream.isName(end);
  }

  private condition(): Expression {
    let node = this.or();
    while (this.stream.skip('name', 'if')) {
      const test = this.or();
      const otherwise = this.stream.skip('name', 'else') ? this.condition() : undefined;
      node = { kind: 'condition', test, then: node, otherwise };
    }
    return node;
  }

  private or(): Expression {
    let left = this.and();
    while (this.stream.skip('name', 'or')) left = { kind: 'or', left, right: this.and() };
    return left;
  }

  private and(): Expression {
    let left = this.not();
    while (this.stream.skip('name', 'and')) left = { kind: 'and', left, right: this.not() };
    return left;
  }

  private not(): Expression {
    if (this.stream.skip('name', 'not')) return { kind: 'not', value: this.not() };
    return this.compare();
  }

  private compare(): Expression {
    const { stream } = this;
    const left = this.sum();
    const comparisons: Comparison[] = [];
    for (;;) {
      if (stream.isOperator(...COMPARISONS)) {
        const operator = stream.next().value as Comparison['operator'];
        comparisons.push({ operator, right: this.sum() });
      } else if (stream.skip('name', 'in')) {
        comparisons.push({ operator: 'in', right: this.sum() });
      } else if (
        stream.isName('not') &&
        stream.following.type === 'name' &&
        stream.following.value === 'in'
      ) {
        stream.next();
        stream.next();
        comparisons.push({ operator: 'not in', right: this.sum() });
      } else break;
    }
    return comparisons.length === 0 ? left : { kind: 'compare', left, comparisons };
  }

  private sum(): Expression {
    return this.binary(['+', '-'], () => this.concat());
  }

  private concat(): Expression {
    const items = [this.product()];
    while (this.stream.skip('operator', '~')) items.push(this.product());
    return items.length === 1 ? items[0]! : { kind: 'concat', items };
  }

  private product(): Expression {
    return this.binary(['*', '/', '//', '%'], () => this.power());
  }

  // to the left, other than in Python
  private power(): Expression {
    return this.binary(['**'], () => this.unary());
  }

  private binary(operators: readonly BinaryOperator[], operand: () => Expression): Expression {
    let left = operand();
    while (this.stream.isOperator(...operators)) {
      const operator = this.stream.next().value as BinaryOperator;
      left = { kind: 'binary', operator, left, right: operand() };
    }
    return left;
  }

  private unary(withFilters = true): Expression {
    const { stream } = this;
    let node: Expression;
    if (stream.skip('operator', '-')) node = { kind: 'negative', value: this.unary(false) };
    else if (stream.skip('operator', '+')) node = { kind: 'positive', value: this.unary(false) };
    else node = this.primary();
    node = this.postfix(node);
    return withFilters ? this.filtersAndTests(node) : node;
  }

  private primary(): Expression {
    const { stream } = this;
    const { type, value } = stream.current;
    switch (type) {
      case 'name':
        stream.next();
        return this.name(value);
      case 'string': {
        let text = '';
        while (stream.is('string')) text += stream.next().value;
        return { kind: 'constant', value: text };
      }
      case 'integer':
        stream.next();
        return { kind: 'constant', value: BigInt(value) };
      case 'float':
        stream.next();
        return { kind: 'constant', value: Number(value) };
      default:
    }
    if (stream.skip('operator', '(')) {
      const node = this.tuple({ explicit: true });
      stream.expect('operator', ')');
      return node;
    }
    if (stream.isOperator('[')) return { kind: 'list', items: this.listItems() };
    if (stream.isOperator('{')) return this.dict();
    throw stream.unexpected('an expression');
  }

  private name(value: string): Expression {
    if (Object.hasOwn(CONSTANTS, value)) return { kind: 'constant', value: CONSTANTS[value]! };
    for (const names of this.namesRead) names.add(value);
    return { kind: 'name', name: value };
  }

  private listItems(): Expression[] {
    const { stream } = this;
    stream.expect('operator', '[');
    const items: Expression[] = [];
    while (!stream.isOperator(']')) {
      if (items.length > 0) stream.expect('operator', ',');
      if (stream.isOperator(']')) break;
      items.push(this.expression());
    }
    stream.expect('operator', ']');
    return items;
  }

  private dict(): Expression {
    const { stream } = this;
    stream.expect('operator', '{');
    const items: [Expression, Expression][] = [];
    while (!stream.isOperator('}')) {
      if (items.length > 0) stream.expect('operator', ',');
      if (stream.isOperator('}')) break;
      const key = this.expression();
      stream.expect('operator', ':');
      items.push([key, this.expression()]);
    }
    stream.expect('operator', '}');
    return { kind: 'dict', items };
  }

  private postfix(node: Expression): Expression {
    const { stream } = this;
    let result = node;
    for (;;) {
      if (stream.isOperator('.')) result = this.dotted(result);
      else if (stream.isOperator('[')) result = this.subscript(result);
      else if (stream.isOperator('(')) result = this.call(result);
      else return result;
    }
  }

  private filtersAndTests(node: Expression): Expression {
    const { stream } = this;
    let result = node;
    for (;;) {
      if (stream.isOperator('|')) result = this.filters(result)!;
      else if (stream.isName('is')) result = this.test(result);
      // a call may also follow a filter
      else if (stream.isOperator('(')) result = this.call(result);
      else return result;
    }
  }

  private dotted(object: Expression): Expression {
    const { stream } = this;
    stream.next();
    const { type, value } = stream.next();
    if (type === 'name') return { kind: 'attribute', object, name: value };
    if (type !== 'integer') throw stream.fault('a name or a number is expected after "."');
    return { kind: 'item', object, index: { kind: 'constant', value: BigInt(value) } };
  }

  private subscript(object: Expression): Expression {
    const { stream } = this;
    stream.next();
    const items: Expression[] = [];
    while (!stream.isOperator(']')) {
      if (items.length > 0) stream.expect('operator', ',');
      const item = this.subscripted(object);
      if (item.kind === 'slice') {
        stream.expect('operator', ']');
        return item;
      }
      items.push(item);
    }
    stream.expect('operator', ']');
    if (items.length === 0) throw stream.fault('there is nothing between [ and ]');
    return {
      kind: 'item',
      object,
      index: items.length === 1 ? items[0]! : { kind: 'tuple', items },
    };
  }

  private subscripted(object: Expression): Expression {
    const { stream } = this;
    const bounds: (Expression | undefined)[] = [];
    if (stream.isOperator(':')) bounds.push(undefined);
    else {
      const node = this.expression();
      if (!stream.isOperator(':')) return node;
      bounds.push(node);
    }
    while (bounds.length < 3 && stream.skip('operator', ':')) {
      bounds.push(stream.isOperator(']', ',', ':') ? undefined : this.expression());
    }
    return { kind: 'slice', object, bounds };
  }

  protected call(callee: Expression): CallNode {
    return { kind: 'call', callee, args: this.arguments() };
  }

  private arguments(): ArgumentNodes {
    const { stream } = this;
    stream.expect('operator', '(');
    const positional: Expression[] = [];
    const named: [string, Expression][] = [];
    let rest: Expression | undefined;
    let restNamed: Expression | undefined;
    for (let first = true; !stream.isOperator(')'); first = false) {
      if (!first) stream.expect('operator', ',');
      if (stream.isOperator(')')) break;
      const keyword =
        stream.is('name') && stream.following.type === 'operator' && stream.following.value === '=';
      if (restNamed) throw stream.unexpected(')');
      if (stream.skip('operator', '**')) restNamed = this.expression();
      else if (!rest && stream.skip('operator', '*')) rest = this.expression();
      else if (keyword) {
        const name = stream.next().value;
        stream.next();
        named.push([name, this.expression()]);
      } else if (rest || named.length > 0) {
        throw stream.fault('a positional argument follows a named one');
      } else positional.push(this.expression());
    }
    stream.expect('operator', ')');
    return { positional, named, ...(rest && { rest }), ...(restNamed && { restNamed }) };
  }

  private test(value: Expression): Expression {
    const { stream } = this;
    stream.next();
    const negated = stream.skip('name', 'not');
    const name = this.dottedName();
    let args = NO_ARGUMENTS;
    if (stream.isOperator('(')) args = this.arguments();
    else if (this.startsArgument()) {
      if (stream.isName('is')) throw stream.fault('tests with "is" cannot follow each other');
      args = { positional: [this.postfix(this.primary())], named: [] };
    }
    const node: Expression = { kind: 'test', value, name, args };
    return negated ? { kind: 'not', value: node } : node;
  }

  private startsArgument(): boolean {
    const { stream } = this;
    if (stream.isOperator('[', '{')) return true;
    if (stream.is('name')) return !stream.isName('else', 'or', 'and');
    return stream.is('string') || stream.is('integer') || stream.is('float');
  }

  private dottedName(): string {
    const { stream } = this;
    let name = stream.expect('name').value;
    while (stream.skip('operator', '.')) name += `.${stream.expect('name').value}`;
    return name;
  }
}
