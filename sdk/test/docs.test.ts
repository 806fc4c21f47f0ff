// The documents are about this code: their examples are files that compile and run, and the table
// of ops is what the ops are.
import { readdirSync, readFileSync } from 'node:fs';
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import {
  grad,
  interpret,
  isFloat,
  type Graph,
  type OpDefinition,
  type Value,
} from '@lmflow/sdk/graph';
import { opChecks, randomInputs, type OpCheck } from '@lmflow/sdk/testing';
import { buildOf } from '../src/testing/op.ts';
import { trace, withLoss } from '../src/testing/program.ts';

const read = (path: string): string => readFileSync(new URL(path, import.meta.url), 'utf8');
const documents = ['../README.md', '../../docs/tensor-programs.md'];
const examples = readdirSync(new URL('examples', import.meta.url)).sort();
const text = documents.map(read).join('\n');

test('the TypeScript in the documents is the examples, and every example is shown', () => {
  const blocks = new Set(
    [...text.matchAll(/^```ts\n([\s\S]*?)^```$/gm)].map(([, block]) => block!.trim()),
  );
  assert.equal([...blocks].sort(), examples.map((file) => read(`examples/${file}`).trim()).sort());
});

for (const file of examples) {
  test(`examples/${file} runs`, async () => {
    await import(`./examples/${file}`);
  });
}

test('the examples compute what their comments say', async () => {
  const { lossAtZero, direction } = await import('./examples/program.ts');
  assert.is(lossAtZero, 7.5);
  assert.equal(direction, [-6, -4.5]);
});

test('the table lists every op, with its kind, outputs and gradient', () => {
  const rows = [
    ...text.matchAll(
      /^\| (\w+) \| (primitive|composite) \| (.*?) \| (.*?) \| (.*?) \| (own|decomposition|zero) \| .*\|$/gm,
    ),
  ];
  const documented = Object.fromEntries(
    rows.map(([, op, kind, , outputs, attributes, gradient]) => [
      op!,
      {
        kind,
        kept: outputs!.includes('kept: '),
        attributes: [...attributes!.matchAll(/`(\w+)`/g)].map(([, name]) => name).sort(),
        gradient,
      },
    ]),
  );
  const actual = Object.fromEntries(
    opChecks.map((check) => [
      check.op.name,
      {
        kind: check.op.evaluate ? 'primitive' : 'composite',
        kept: check.op.results !== undefined,
        attributes: attributesOf(check),
        gradient: gradientOf(check),
      },
    ]),
  );
  assert.equal(documented, actual);
});

function attributesOf({ cases }: OpCheck): string[] {
  return [...new Set(cases.flatMap(({ attributes }) => Object.keys(attributes ?? {})))].sort();
}

/** Whether anything comes through, and by whose rule. */
function gradientOf(check: OpCheck): string {
  const { op } = check;
  const flows = check.cases.some((one) => {
    const traced = trace(buildOf(check, one, false), one.inputs);
    const floats = [...traced.graph.inputs.values()].filter(({ dtype }) => isFloat(dtype));
    if (floats.length === 0 || !traced.results.some(({ dtype }) => isFloat(dtype))) return false;
    return isNotZero(
      traced.graph,
      grad(withLoss(traced, 0), floats.slice(0, 1)),
      randomInputs(one.inputs),
    );
  });
  return flows ? ruleOf(op) : 'zero';
}

const ruleOf = (op: OpDefinition): string => (op.gradient ? 'own' : 'decomposition');

function isNotZero(
  graph: Graph,
  gradients: readonly Value[],
  inputs: Parameters<typeof interpret>[1],
): boolean {
  gradients.forEach((gradient, index) => graph.output(`gradient ${index}`, gradient));
  const results = interpret(graph, inputs);
  return gradients.some((_, index) =>
    results[`gradient ${index}`]!.data.some((number) => number !== 0),
  );
}

test.run();
