// Jinja2's tests by name: `value is name`.
import { refused, unsupported } from '../fault.ts';
import { isFilter } from '../filters/filters.ts';
import { stringCase } from '../methods/string-case.ts';
import { arithmetic } from '../values/arithmetic.ts';
import { contains, equals, numeric, ordered } from '../values/comparison.ts';
import { isIterable } from '../values/iteration.ts';
import { str } from '../values/text.ts';
import {
  Callable,
  Dict,
  Markup,
  PythonObject,
  Range,
  Sequence,
  Undefined,
  textOf,
  truth,
  typeName,
  type Arguments,
  type Value,
} from '../values/value.ts';
import { bind, parameters, type Bound } from './parameters.ts';
import type { Runtime } from './runtime.ts';

type Test = (value: Value, args: Arguments, runtime: Runtime) => boolean;

function test(text: string, run: (value: Value, args: Bound, runtime: Runtime) => boolean): Test {
  const wanted = parameters(text, true);
  return (value, args, runtime) => run(value, bind('the test', wanted, args), runtime);
}

const equal = test('other', (value, [other]) => equals(value, other!));
const order = (operator: '<' | '<=' | '>' | '>='): Test =>
  test('other', (value, [other]) => ordered(operator, value, other!));

const rest = (value: Value, by: Value, { budget }: Runtime): Value =>
  arithmetic('%', value, by, budget);
const [less, lessOrEqual, greater, greaterOrEqual] = [
  order('<'),
  order('<='),
  order('>'),
  order('>='),
];
const unequal = test('other', (value, [other]) => !equals(value, other!));

/** `is`: of one identity. What Python decides by how it keeps values is refused. */
function same(value: Value, other: Value): boolean {
  const objects = value instanceof PythonObject || other instanceof PythonObject;
  if (objects || typeof value !== typeof other || value === null || other === null) {
    return value === other;
  }
  if (typeof value === 'boolean' || value !== other) return value === other;
  if (typeof value === 'bigint' && value >= -5n && value <= 256n) return true;
  throw unsupported(`sameas of equal ${typeof value}s`);
}

/** Of what it prints: `islower` and `isupper`. */
const cased = (name: 'islower' | 'isupper'): Test =>
  test('', (value, _, { budget }) => truth(stringCase[name]!.run(str(value), [], budget)));

const tests: Readonly<Record<string, Test>> = {
  '!=': unequal,
  '<': less,
  '<=': lessOrEqual,
  '==': equal,
  '>': greater,
  '>=': greaterOrEqual,
  boolean: test('', (value) => typeof value === 'boolean'),
  callable: test('', (value) => value instanceof Callable || value instanceof Undefined),
  defined: test('', (value) => !(value instanceof Undefined)),
  divisibleby: test('num', (value, [by], runtime) => equals(rest(value, by!, runtime), 0n)),
  eq: equal,
  equalto: equal,
  escaped: test('', (value) => value instanceof Markup),
  even: test('', (value, _, runtime) => equals(rest(value, 2n, runtime), 0n)),
  false: test('', (value) => value === false),
  filter: test('', (value) => isFilter(textOf(value) ?? '')),
  float: test('', (value) => typeName(value) === 'float'),
  ge: greaterOrEqual,
  greaterthan: greater,
  gt: greater,
  in: test('seq', (value, [seq]) => contains(seq!, value)),
  integer: test('', (value) => typeName(value) === 'int'),
  iterable: test('', isIterable),
  le: lessOrEqual,
  lessthan: less,
  lower: cased('islower'),
  lt: less,
  mapping: test('', (value) => value instanceof Dict),
  ne: unequal,
  none: test('', (value) => value === null),
  number: test('', (value) => numeric(value) !== undefined),
  odd: test('', (value, _, runtime) => equals(rest(value, 2n, runtime), 1n)),
  sameas: test('other', (value, [other]) => same(value, other!)),
  sequence: test('', (value) => {
    const found = [Sequence, Dict, Range, Undefined].some((type) => value instanceof type);
    return found || textOf(value) !== undefined;
  }),
  string: test('', (value) => textOf(value) !== undefined),
  test: test('', (value) => Object.hasOwn(tests, textOf(value) ?? '')),
  true: test('', (value) => value === true),
  undefined: test('', (value) => value instanceof Undefined),
  upper: cased('isupper'),
};

/** Whether a test holds; throws where there is none of that name. */
export function holds(name: string, value: Value, args: Arguments, runtime: Runtime): boolean {
  if (!Object.hasOwn(tests, name)) throw refused(`there is no test '${name}'`);
  return tests[name]!(value, args, runtime);
}
