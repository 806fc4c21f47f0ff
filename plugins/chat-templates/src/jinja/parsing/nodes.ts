// The tree of a template: expressions and statements. No behaviour.
import type { Value } from '../values/value.ts';

/** Arguments of a call, a filter or a test. */
export interface ArgumentNodes {
  readonly positional: readonly Expression[];
  readonly named: readonly (readonly [name: string, value: Expression])[];
  /** `*list` */
  readonly rest?: Expression;
  /** `**dict` */
  readonly restNamed?: Expression;
}

/** `a < b`: one of a chain. */
export interface Comparison {
  readonly operator: '==' | '!=' | '<' | '<=' | '>' | '>=' | 'in' | 'not in';
  readonly right: Expression;
}

/** The operators of arithmetic. */
export type BinaryOperator = '+' | '-' | '*' | '/' | '//' | '%' | '**';

/** `value[start:stop:step]` */
export interface SliceNode {
  readonly kind: 'slice';
  readonly object: Expression;
  readonly bounds: readonly (Expression | undefined)[];
}

/** `value|name(...)`; in a filter block the value is what the block prints. */
export interface FilterNode {
  readonly kind: 'filter';
  readonly value: Expression | undefined;
  readonly name: string;
  readonly args: ArgumentNodes;
}

/** `callee(...)` */
export interface CallNode {
  readonly kind: 'call';
  readonly callee: Expression;
  readonly args: ArgumentNodes;
}

/** What has a value. */
export type Expression =
  | { readonly kind: 'constant'; readonly value: Value }
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'list' | 'tuple' | 'concat'; readonly items: readonly Expression[] }
  | { readonly kind: 'dict'; readonly items: readonly (readonly [Expression, Expression])[] }
  | {
      readonly kind: 'condition';
      readonly test: Expression;
      readonly then: Expression;
      readonly otherwise: Expression | undefined;
    }
  | {
      readonly kind: 'binary';
      readonly operator: BinaryOperator;
      readonly left: Expression;
      readonly right: Expression;
    }
  | { readonly kind: 'and' | 'or'; readonly left: Expression; readonly right: Expression }
  | { readonly kind: 'not' | 'negative' | 'positive'; readonly value: Expression }
  | {
      readonly kind: 'compare';
      readonly left: Expression;
      readonly comparisons: readonly Comparison[];
    }
  | { readonly kind: 'attribute'; readonly object: Expression; readonly name: string }
  | { readonly kind: 'item'; readonly object: Expression; readonly index: Expression }
  | SliceNode
  | CallNode
  | FilterNode
  | {
      readonly kind: 'test';
      readonly value: Expression;
      readonly name: string;
      readonly args: ArgumentNodes;
    };

/** What a value is given to. */
export type Target =
  | { readonly kind: 'name'; readonly name: string }
  | { readonly kind: 'namespace'; readonly name: string; readonly attribute: string }
  | { readonly kind: 'tuple'; readonly items: readonly Target[] };

/** The parameters of a macro or of a call block. */
export interface Signature {
  readonly names: readonly string[];
  /** Of the last ones. */
  readonly defaults: readonly Expression[];
}

/** A macro, or the body of a call block. */
export interface MacroNode {
  readonly kind: 'macro';
  readonly line: number;
  readonly name: string;
  readonly signature: Signature;
  readonly body: readonly Statement[];
  /** Which of `caller`, `varargs` and `kwargs` the body asks for. */
  readonly special: ReadonlySet<string>;
}

/** `{% for %}` */
export interface ForNode {
  readonly kind: 'for';
  readonly line: number;
  readonly target: Target;
  readonly iterable: Expression;
  readonly test: Expression | undefined;
  readonly recursive: boolean;
  readonly body: readonly Statement[];
  readonly otherwise: readonly Statement[];
}

/** What is done. */
export type Statement =
  | { readonly kind: 'output'; readonly line: number; readonly items: readonly Expression[] }
  | ForNode
  | {
      readonly kind: 'if';
      readonly line: number;
      readonly test: Expression;
      readonly then: readonly Statement[];
      readonly otherwise: readonly Statement[];
    }
  | {
      readonly kind: 'set';
      readonly line: number;
      readonly target: Target;
      readonly value: Expression;
    }
  | {
      readonly kind: 'set-block';
      readonly line: number;
      readonly target: Target;
      readonly filter: FilterNode | undefined;
      readonly body: readonly Statement[];
    }
  | MacroNode
  | {
      readonly kind: 'call-block';
      readonly line: number;
      readonly call: CallNode;
      readonly caller: MacroNode;
    }
  | {
      readonly kind: 'filter-block';
      readonly line: number;
      readonly filter: FilterNode;
      readonly body: readonly Statement[];
    }
  | {
      readonly kind: 'with';
      readonly line: number;
      readonly values: readonly (readonly [Target, Expression])[];
      readonly body: readonly Statement[];
    }
  | { readonly kind: 'generation'; readonly line: number; readonly body: readonly Statement[] }
  | { readonly kind: 'break' | 'continue'; readonly line: number };
