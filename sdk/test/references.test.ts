// Composites against PyTorch and transformers (fixtures/ops.json, made by fixtures/ops.py): layouts
// and conventions, forward and gradients.
import { readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  attention,
  erf,
  gelu,
  grad,
  Graph,
  interpret,
  layerNorm,
  linearCrossEntropy,
  linearLogProbs,
  log1mexp,
  logSigmoid,
  mul,
  ndarray,
  rmsNorm,
  rope,
  sum,
  swiglu,
  type LogProbs,
  type NdArray,
  type Value,
} from '@lmflow/sdk/graph';
import { compareArrays } from '@lmflow/sdk/testing';

interface Numbers {
  readonly shape: number[];
  readonly data: number[];
}
interface Reference {
  readonly op: string;
  readonly attributes: {
    readonly epsilon: number;
    readonly approximation: 'erf' | 'tanh';
    readonly window?: number;
    readonly figure: keyof LogProbs;
    readonly temperature: number;
    readonly softCap: number;
  };
  readonly inputs: Record<string, Numbers>;
  readonly result: Numbers;
  readonly upstream: Numbers;
  readonly gradients: Record<string, Numbers>;
}

const { erf: erfPoints, cases } = JSON.parse(
  readFileSync(new URL('fixtures/ops.json', import.meta.url), 'utf8'),
) as { erf: [number, number][]; cases: Record<string, Reference> };

type Apply = (inputs: Record<string, Value>, attributes: Reference['attributes']) => Value;
const applies: Record<string, Apply> = {
  rope: ({ x, cos, sin, positions }) => rope(x!, cos!, sin!, positions!),
  rmsNorm: ({ x, weight }, { epsilon }) => rmsNorm(x!, weight!, epsilon),
  layerNorm: ({ x, weight, bias }, { epsilon }) => layerNorm(x!, weight!, bias!, epsilon),
  gelu: ({ x }, { approximation }) => gelu(x!, approximation),
  swiglu: ({ gate, up }) => swiglu(gate!, up!),
  attention: ({ q, k, v, segments }, { window }) =>
    attention({ q: q!, k: k!, v: v!, segments, window, tile: 4 }),
  linearCrossEntropy: ({ hidden, weight, labels }) => linearCrossEntropy(hidden!, weight!, labels!),
  linearLogProbs: ({ hidden, weight, labels }, { figure, ...options }) =>
    linearLogProbs(hidden!, weight!, labels!, options)[figure],
  logSigmoid: ({ x }) => logSigmoid(x!),
  log1mexp: ({ x }) => log1mexp(x!),
};
const integers = new Set(['positions', 'segments', 'labels']);

for (const [name, reference] of Object.entries(cases)) {
  test(`${name} is PyTorch's, forward and backward`, () => {
    const graph = new Graph();
    const arrays: Record<string, NdArray> = {};
    const values: Record<string, Value> = {};
    for (const [input, { shape, data }] of Object.entries(reference.inputs)) {
      values[input] = graph.input(input, integers.has(input) ? 'int32' : 'float32', shape);
      arrays[input] = ndarray(shape, data);
    }
    const result = applies[reference.op]!(values, reference.attributes);
    graph.output('result', result);
    const upstream = graph.input('upstream', 'float32', reference.upstream.shape);
    arrays.upstream = ndarray(reference.upstream.shape, reference.upstream.data);
    const names = Object.keys(reference.gradients);
    grad(
      sum(mul(result, upstream)),
      names.map((input) => values[input]!),
    ).forEach((gradient, index) => graph.output(`gradient of ${names[index]!}`, gradient));
    const results = interpret(graph, arrays);
    const close = (what: string, expected: Numbers): void =>
      compareArrays(results[what]!, ndarray(expected.shape, expected.data), {
        what,
        sides: ['the interpreter', 'PyTorch'],
        tolerance: 3e-7,
      });
    close('result', reference.result);
    for (const input of names) close(`gradient of ${input}`, reference.gradients[input]!);
  });
}

test('erf to 1e-14', () => {
  const graph = new Graph();
  graph.output('y', erf(graph.input('x', 'float32', [erfPoints.length])));
  const { y } = interpret(graph, {
    x: ndarray(
      [erfPoints.length],
      erfPoints.map(([x]) => x),
    ),
  });
  erfPoints.forEach(([x, expected], index) =>
    assert.ok(
      Math.abs(y!.data[index]! - expected) < 1e-14,
      `erf(${x}) is ${y!.data[index]!}, not ${expected}`,
    ),
  );
});

test.run();
