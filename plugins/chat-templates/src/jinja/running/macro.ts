// Macros: a body that is called with arguments, as Jinja2 binds them.
import { refused } from '../fault.ts';
import type { Expression, MacroNode } from '../parsing/nodes.ts';
import { Callable, Dict, Tuple, Undefined, type Arguments, type Value } from '../values/value.ts';
import { Scope } from './scope.ts';

/** What a macro needs of the rendering. */
export interface MacroHost {
  evaluate(node: Expression, scope: Scope): Value;
  /** The text of a macro's body. */
  body(node: MacroNode, scope: Scope): string;
}

/** A macro of a template, or the `caller` of a call block. */
export class Macro extends Callable {
  override readonly typeName = 'Macro';
  private readonly node: MacroNode;

  /** `scope` is where it is written. */
  constructor(node: MacroNode, scope: Scope, host: MacroHost) {
    super(node.name, (args) => host.body(node, bindMacro(node, new Scope(scope), args, host)));
    this.node = node;
  }

  override attribute(name: string): Value | undefined {
    const { signature, special } = this.node;
    switch (name) {
      case 'name':
        return this.name;
      case 'arguments':
        return new Tuple(signature.names);
      case 'caller':
        return special.has('caller');
      case 'catch_kwargs':
        return special.has('kwargs');
      case 'catch_varargs':
        return special.has('varargs');
      default:
        return undefined;
    }
  }
}

function bindMacro(
  { name: macro, signature: { names, defaults }, special }: MacroNode,
  scope: Scope,
  { positional, named }: Arguments,
  host: MacroHost,
): Scope {
  const rest = new Map(named);
  const first = names.length - defaults.length;
  for (const [place, name] of names.entries()) {
    let value = positional[place];
    if (value === undefined) {
      value = rest.get(name);
      rest.delete(name);
    }
    if (value === undefined && place >= first) {
      value = host.evaluate(defaults[place - first]!, scope);
    }
    scope.set(name, value === undefined ? notProvided(name) : value);
  }
  if (special.has('caller')) {
    const caller = rest.get('caller');
    rest.delete('caller');
    scope.set('caller', caller === undefined ? new Undefined('No caller defined') : caller);
  }
  if (special.has('kwargs')) scope.set('kwargs', new Dict(rest));
  else if (rest.size > 0) {
    throw refused(`macro '${macro}' takes no keyword argument '${[...rest.keys()][0]}'`);
  }
  if (special.has('varargs')) scope.set('varargs', new Tuple(positional.slice(names.length)));
  else if (positional.length > names.length) {
    throw refused(`macro '${macro}' takes not more than ${names.length} argument(s)`);
  }
  return scope;
}

const notProvided = (name: string): Undefined =>
  new Undefined(`parameter '${name}' was not provided`);
