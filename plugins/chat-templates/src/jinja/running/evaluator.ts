// Expressions -> values.
import type { Budget } from '../budget.ts';
import { JinjaFault, refused, unsupported } from '../fault.ts';
import { filterNamed } from '../filters/filters.ts';
import type { ArgumentNodes, Comparison, Expression, FilterNode } from '../parsing/nodes.ts';
import { arithmetic } from '../values/arithmetic.ts';
import { contains, equals, numeric, ordered } from '../values/comparison.ts';
import { iterate, sliceOf } from '../values/iteration.ts';
import { str } from '../values/text.ts';
import {
  Callable,
  Dict,
  List,
  Tuple,
  Undefined,
  textOf,
  truth,
  typeName,
  type Arguments,
  type Value,
} from '../values/value.ts';
import { Attributes } from './attributes.ts';
import type { Runtime } from './runtime.ts';
import type { Scope } from './scope.ts';
import { holds } from './tests.ts';

/** Evaluates expressions for one rendering. */
export class Evaluator implements Runtime {
  readonly budget: Budget;
  readonly attributes: Attributes;

  constructor(budget: Budget) {
    this.budget = budget;
    this.attributes = new Attributes(budget);
  }

  evaluate(node: Expression, scope: Scope): Value {
    this.budget.step();
    switch (node.kind) {
      case 'constant':
        return node.value;
      case 'name': {
        const value = scope.get(node.name);
        if (value !== undefined) return value;
        if (node.name === 'self') throw unsupported('self');
        return new Undefined(`'${node.name}' is undefined`);
      }
      case 'attribute':
        return this.attributes.attribute(this.evaluate(node.object, scope), node.name);
      case 'item':
        return this.attributes.item(
          this.evaluate(node.object, scope),
          this.evaluate(node.index, scope),
        );
      case 'call': {
        const callee = this.evaluate(node.callee, scope);
        return this.call(callee, this.arguments(node.args, scope));
      }
      case 'filter':
        return this.filterNode(node, this.evaluate(node.value!, scope), scope);
      case 'test': {
        const value = this.evaluate(node.value, scope);
        return this.test(node.name, value, this.arguments(node.args, scope));
      }
      case 'compare':
        return this.compare(this.evaluate(node.left, scope), node.comparisons, scope);
      default:
        return this.operation(node, scope);
    }
  }

  call(callee: Value, args: Arguments): Value {
    if (callee instanceof Callable) return callee.call(args);
    if (callee instanceof Undefined) throw refused(callee.reason);
    throw refused(`'${typeName(callee)}' object is not callable`);
  }

  filter(name: string, value: Value, args: Arguments): Value {
    return filterNamed(name)(value, args, this);
  }

  test(name: string, value: Value, args: Arguments): boolean {
    return holds(name, value, args, this);
  }

  /** A filter of a value that is there already: of a block. */
  filterNode(node: FilterNode, value: Value, scope: Scope): Value {
    return this.filter(node.name, value, this.arguments(node.args, scope));
  }

  arguments(nodes: ArgumentNodes, scope: Scope): Arguments {
    const positional = nodes.positional.map((node) => this.evaluate(node, scope));
    if (nodes.rest) positional.push(...iterate(this.evaluate(nodes.rest, scope)));
    const named = new Map<string, Value>();
    for (const [name, node] of nodes.named) {
      if (named.has(name)) throw new JinjaFault('syntax', `keyword argument repeated: ${name}`);
      named.set(name, this.evaluate(node, scope));
    }
    if (nodes.restNamed) {
      const rest = this.evaluate(nodes.restNamed, scope);
      if (!(rest instanceof Dict)) throw refused('argument after ** must be a mapping');
      for (const [key, value] of rest.pairs()) {
        const name = textOf(key);
        if (name === undefined) throw refused('keywords must be strings');
        if (named.has(name)) throw refused(`got multiple values for keyword argument '${name}'`);
        named.set(name, value);
      }
    }
    return { positional, named };
  }

  private operation(node: Exclude<Expression, { kind: 'compare' }>, scope: Scope): Value {
    switch (node.kind) {
      case 'binary':
        return arithmetic(
          node.operator,
          this.evaluate(node.left, scope),
          this.evaluate(node.right, scope),
          this.budget,
        );
      case 'and': {
        const left = this.evaluate(node.left, scope);
        return truth(left) ? this.evaluate(node.right, scope) : left;
      }
      case 'or': {
        const left = this.evaluate(node.left, scope);
        return truth(left) ? left : this.evaluate(node.right, scope);
      }
      case 'not':
        return !truth(this.evaluate(node.value, scope));
      case 'negative':
      case 'positive':
        return signed(node.kind, this.evaluate(node.value, scope));
      case 'condition':
        if (truth(this.evaluate(node.test, scope))) return this.evaluate(node.then, scope);
        if (node.otherwise) return this.evaluate(node.otherwise, scope);
        return new Undefined('the condition does not hold, and there is no else');
      case 'concat':
        return this.concat(node.items.map((item) => str(this.evaluate(item, scope))));
      case 'slice':
        return this.slice(
          this.evaluate(node.object, scope),
          node.bounds.map((bound) => bound && this.evaluate(bound, scope)),
        );
      case 'list':
        return new List(this.all(node.items, scope));
      case 'tuple':
        return new Tuple(this.all(node.items, scope));
      case 'dict':
        return new Dict(
          node.items.map(
            ([key, value]) => [this.evaluate(key, scope), this.evaluate(value, scope)] as const,
          ),
        );
      default:
        throw new Error(`no expression: ${node.kind}`);
    }
  }

  private all(nodes: readonly Expression[], scope: Scope): Value[] {
    return nodes.map((node) => this.evaluate(node, scope));
  }

  private concat(parts: readonly string[]): string {
    const text = parts.join('');
    this.budget.make(text.length);
    return text;
  }

  private slice(value: Value, bounds: readonly (Value | undefined)[]): Value {
    const result = sliceOf(value, bounds);
    this.budget.make(textOf(result)?.length ?? (result instanceof List ? result.items.length : 0));
    return result;
  }

  private compare(first: Value, comparisons: readonly Comparison[], scope: Scope): boolean {
    let left = first;
    for (const { operator, right: node } of comparisons) {
      const right = this.evaluate(node, scope);
      if (!this.related(operator, left, right)) return false;
      left = right;
    }
    return true;
  }

  private related(operator: Comparison['operator'], left: Value, right: Value): boolean {
    switch (operator) {
      case '==':
        return equals(left, right);
      case '!=':
        return !equals(left, right);
      case 'in':
        return contains(right, left);
      case 'not in':
        return !contains(right, left);
      default:
        return ordered(operator, left, right);
    }
  }
}

function signed(kind: 'negative' | 'positive', value: Value): Value {
  const number = numeric(value);
  if (number !== undefined) return kind === 'negative' ? -number : number;
  if (value instanceof Undefined) throw refused(value.reason);
  throw refused(
    `bad operand type for unary ${kind === 'negative' ? '-' : '+'}: '${typeName(value)}'`,
  );
}
