// What elementwise ops of one operand are made by. The ops are in unary.ts and binary.ts.
import type { OpDefinition, Value } from '../graph.ts';
import { defineOp } from '../op.ts';
import { isFloat, type Attributes } from '../types.ts';
import { opTypesDoNotFit } from '../errors.ts';

type Rule = (x: Value, y: Value, gradient: Value) => Value;

/** An elementwise op of one float operand x with result y. */
export function unaryOp(name: string, compute: (x: number) => number, rule: Rule): OpDefinition {
  return defineOp<Attributes>({
    name,
    infer: (inputs) => {
      const [x] = inputs;
      if (inputs.length !== 1 || !x || !isFloat(x.dtype)) {
        throw opTypesDoNotFit(name, inputs, 'takes one float operand');
      }
      return [{ dtype: x.dtype, shape: x.shape }];
    },
    evaluate: ([x]) => [{ shape: x!.shape, data: x!.data.map(compute) }],
    gradient: (node, [gradient]) => [rule(node.inputs[0]!, node.outputs[0]!, gradient!)],
  });
}
