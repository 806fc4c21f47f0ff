// Statements -> text. Expressions are the evaluator's.
import type { Budget } from '../budget.ts';
import { JinjaFault, refused } from '../fault.ts';
import type {
  Expression,
  FilterNode,
  ForNode,
  MacroNode,
  Statement,
  Target,
} from '../parsing/nodes.ts';
import { iterate } from '../values/iteration.ts';
import { str } from '../values/text.ts';
import { Dict, Namespace, Undefined, truth, type Value } from '../values/value.ts';
import { Evaluator } from './evaluator.ts';
import { Loop } from './loop.ts';
import { Macro, type MacroHost } from './macro.ts';
import { Output } from './output.ts';
import { Scope } from './scope.ts';

/** How a list of statements ends. */
type Ending = 'end' | 'break' | 'continue';

/** Runs the statements of one rendering. */
export class Executor implements MacroHost {
  /** Tags were in a macro or the like, whose text may stand anywhere. */
  hiddenTags = false;
  /** The line that runs, for what is thrown. */
  line = 0;
  private readonly budget: Budget;
  private readonly evaluator: Evaluator;
  private readonly messages: ReadonlyMap<Value, number>;

  /** `messages`: their values, by which a tag's message is found. */
  constructor(budget: Budget, messages: ReadonlyMap<Value, number>) {
    this.budget = budget;
    this.evaluator = new Evaluator(budget);
    this.messages = messages;
  }

  run(statements: readonly Statement[], scope: Scope, output: Output): Ending {
    for (const statement of statements) {
      const ending = this.statement(statement, scope, output);
      if (ending !== 'end') return ending;
    }
    return 'end';
  }

  evaluate(node: Expression, scope: Scope): Value {
    return this.evaluator.evaluate(node, scope);
  }

  body(node: MacroNode, scope: Scope): string {
    return this.budget.nested(() => this.captured(node.body, scope));
  }

  private statement(node: Statement, scope: Scope, output: Output): Ending {
    this.budget.step();
    this.line = node.line;
    switch (node.kind) {
      case 'output':
        for (const item of node.items) output.print(str(this.evaluate(item, scope)));
        return 'end';
      case 'if':
        return this.run(
          truth(this.evaluate(node.test, scope)) ? node.then : node.otherwise,
          scope,
          output,
        );
      case 'for':
        this.for(node, scope, output);
        return 'end';
      case 'set':
        this.assign(node.target, this.evaluate(node.value, scope), scope);
        return 'end';
      case 'set-block':
        this.assign(node.target, this.filtered(node, new Scope(scope)), scope);
        return 'end';
      case 'break':
      case 'continue':
        return node.kind;
      default:
        return this.block(node, scope, output);
    }
  }

  private block(
    node: Exclude<Statement, { kind: 'output' | 'if' | 'for' | 'set' | 'break' | 'continue' }>,
    scope: Scope,
    output: Output,
  ): Ending {
    switch (node.kind) {
      case 'macro':
        scope.set(node.name, new Macro(node, scope, this));
        return 'end';
      case 'filter-block':
        output.print(str(this.filtered(node, new Scope(scope))));
        return 'end';
      case 'with':
        return this.with(node, scope, output);
      case 'call-block':
        output.print(str(this.callBlock(node, scope)));
        return 'end';
      case 'generation':
        if (output.nested) this.hiddenTags = true;
        output.tagged(this.messageOf(scope), () => this.run(node.body, new Scope(scope), output));
        return 'end';
      default:
        throw new Error(`no statement: ${node.kind}`);
    }
  }

  private with(
    { values, body }: Extract<Statement, { kind: 'with' }>,
    scope: Scope,
    output: Output,
  ): Ending {
    const inner = new Scope(scope);
    for (const [target, value] of values) this.assign(target, this.evaluate(value, scope), inner);
    return this.run(body, inner, output);
  }

  private callBlock(
    { call, caller }: Extract<Statement, { kind: 'call-block' }>,
    scope: Scope,
  ): Value {
    const callee = this.evaluate(call.callee, scope);
    const { positional, named } = this.evaluator.arguments(call.args, scope);
    const withCaller = new Map(named).set('caller', new Macro(caller, scope, this));
    return this.evaluator.call(callee, { positional, named: withCaller });
  }

  /** What a block prints, through its filters. */
  private filtered(
    { body, filter }: { body: readonly Statement[]; filter: FilterNode | undefined },
    scope: Scope,
  ): Value {
    const text = this.captured(body, scope);
    return filter === undefined ? text : this.throughFilter(filter, text, scope);
  }

  private throughFilter(node: FilterNode, text: string, scope: Scope): Value {
    const value =
      node.value === undefined ? text : this.throughFilter(node.value as FilterNode, text, scope);
    return this.evaluator.filterNode(node, value, scope);
  }

  private captured(body: readonly Statement[], scope: Scope): string {
    const output = new Output(this.budget, true);
    this.run(body, scope, output);
    this.budget.make(output.text.length);
    return output.text;
  }

  private for(node: ForNode, scope: Scope, output: Output): void {
    const iterable = this.evaluate(node.iterable, scope);
    if (!node.recursive) {
      this.loop(node, iterable, 0, scope, output);
      return;
    }
    output.print(this.recursion(node, iterable, 0, scope));
  }

  private recursion(node: ForNode, iterable: Value, depth: number, scope: Scope): string {
    return this.budget.nested(() => {
      const output = new Output(this.budget, true);
      this.loop(node, iterable, depth, scope, output);
      return output.text;
    });
  }

  private loop(node: ForNode, iterable: Value, depth: number, scope: Scope, output: Output): void {
    const { target, test, body, otherwise, recursive } = node;
    const all = iterate(iterable);
    const items = test === undefined ? all : this.passing(node, all, scope);
    const loop = new Loop(
      iterable,
      items,
      depth,
      recursive
        ? ({ positional: [inner = null] }) => this.recursion(node, inner, depth + 1, scope)
        : undefined,
      test !== undefined,
    );
    let complete = false;
    for (let item = loop.next(); item !== undefined; item = loop.next()) {
      this.budget.step();
      const inner = new Scope(scope);
      this.assign(target, item, inner);
      inner.set('loop', loop);
      const ending = this.run(body, inner, output);
      if (ending === 'break') break;
      // as Jinja2: a turn that is cut short does not count for else
      if (ending === 'end') complete = true;
    }
    if (!complete) this.run(otherwise, new Scope(scope), output);
  }

  private *passing(
    { target, test }: ForNode,
    items: Iterable<Value>,
    scope: Scope,
  ): Iterable<Value> {
    for (const item of items) {
      const inner = new Scope(scope);
      this.assign(target, item, inner);
      if (truth(this.evaluate(test!, inner))) yield item;
    }
  }

  private assign(target: Target, value: Value, scope: Scope): void {
    if (target.kind === 'name') {
      scope.set(target.name, value);
      return;
    }
    if (target.kind === 'namespace') {
      const found = scope.get(target.name);
      if (!(found instanceof Namespace)) {
        throw refused('cannot assign attribute on non-namespace object');
      }
      found.values.set(target.attribute, value);
      return;
    }
    if (value instanceof Undefined) throw refused(value.reason);
    const items = [...iterate(value)];
    if (items.length !== target.items.length) {
      throw refused(`${items.length} values for ${target.items.length} names`);
    }
    for (const [index, each] of target.items.entries()) this.assign(each, items[index]!, scope);
  }

  /** The message in whose turn of a loop a tag stands. */
  private messageOf(scope: Scope): number | undefined {
    for (const value of scope.all()) {
      const index = value instanceof Dict ? this.messages.get(value) : undefined;
      if (index !== undefined) return index;
    }
    return undefined;
  }
}

/** A fault with the line that ran; what JavaScript throws on its own bounds is one of the budget. */
export function faultAt(error: unknown, line: number): unknown {
  if (error instanceof RangeError) {
    return new JinjaFault('budget', 'it nests too deeply, or makes too long a text', line);
  }
  if (error instanceof JinjaFault) error.line ??= line;
  return error;
}
