// The engine on the interpreter passes the checks of engines, and engines with faults do not.
import { test } from 'uvu';
import * as assert from 'uvu/assert';
import type { Engine, Program, TensorMap } from '../src/index.ts';
import { interpreterEngine, testEngine } from '../src/testing/index.ts';

for (const { name, run } of testEngine(interpreterEngine())) test(name, run);

/** Names of the checks that fail. */
async function failures(engine: Engine): Promise<string[]> {
  const failed: string[] = [];
  for (const { name, run } of testEngine(engine).filter((check) => !check.name.startsWith('op '))) {
    await run().catch(() => failed.push(name));
  }
  return failed;
}

/** The interpreter's engine with another `run`. */
function withRun(
  run: (program: Program, inputs: TensorMap, outputs?: TensorMap) => Promise<TensorMap>,
): Engine {
  const engine = interpreterEngine();
  const compile = engine.compile.bind(engine);
  engine.compile = async (graph, options) => {
    const program = await compile(graph, options);
    return {
      run: (inputs, outputs) => run(program, inputs, outputs),
      dispose: () => program.dispose(),
    };
  };
  return engine;
}

test('an engine that ignores outputs, or does not say what is missing, fails', async () => {
  assert.equal(await failures(withRun((program, inputs) => program.run(inputs))), [
    'inputs that do not fit are refused',
    'results are written into the tensors that are given',
  ]);
  const silent = withRun((program, inputs, outputs) =>
    program.run(inputs, outputs).catch(() => {
      throw new Error('failed');
    }),
  );
  assert.equal(await failures(silent), [
    'inputs that do not fit are refused',
    'programs are run again, side by side, and disposed',
  ]);
});

test('profiles are checked where there are any', async () => {
  const engine = interpreterEngine();
  const compile = engine.compile.bind(engine);
  const row = (name: string, seconds: number) => ({ name, seconds, count: 1 });
  let ops = [row('add', 2), row('mul', 1)];
  engine.compile = async (graph, options) => {
    const program = await compile(graph, options);
    return {
      run: (inputs, outputs) => program.run(inputs, outputs),
      dispose: () => program.dispose(),
      profile: () => Promise.resolve({ ops, regions: [], kernels: [] }),
    };
  };
  assert.equal(await failures(engine), []);
  for (const wrong of [[row('mul', 1)], [row('add', 1), row('mul', 2)]]) {
    ops = wrong;
    assert.equal(await failures(engine), ['a profile has times by op']);
  }
});

test.run();
