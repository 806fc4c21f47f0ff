// What every engine must do, as checks: all ops with their gradients against the interpreter, dtypes,
// weights, refusals, outputs in place, profiles.
import { mkdtemp, rm, writeFile } from 'node:fs/promises';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { Engine, Profile, ProfileRow, Tensor } from '../engine.ts';
import { isLMFlowError } from '../errors.ts';
import {
  add,
  applyOne,
  cast,
  defineOp,
  Graph,
  mul,
  ndarray,
  type DType,
  type MemoryWeight,
} from '../graph/index.ts';
import { opChecks } from './cases/index.ts';
import { claim, rejection, type Check } from './check.ts';
import { checkLowering, checkOpLowering } from './lowering.ts';
import { numbersOf, readNumbers, typedArray } from './numbers.ts';

/** In what an engine may differ from the interpreter. */
export interface EngineTestOptions {
  /** Of results, as in checkLowering; default 1e-5. */
  readonly tolerance?: number;
  /** The dtypes of its inputs and outputs; default: all except bfloat16, which only weights have. */
  readonly dtypes?: readonly DType[];
}

const DTYPES = ['float32', 'float16', 'int64', 'int32', 'int8', 'uint8', 'bool'] as const;

/** The checks that every engine passes. They dispose only what they make. */
export function testEngine(engine: Engine, options: EngineTestOptions = {}): Check[] {
  const { tolerance = 1e-5, dtypes = DTYPES } = options;
  const checks: Record<string, () => Promise<void>> = {
    'tensors keep what is uploaded': () => checkTensors(engine, dtypes),
    'weights in memory and in files': () => checkWeights(engine, tolerance),
    'inputs that do not fit are refused': () => checkRefusals(engine),
    'an op without a lowering is decomposed, or refused where it cannot be': () =>
      checkUnknownOps(engine, tolerance),
    'results are written into the tensors that are given': () => checkOutputs(engine),
    'programs are run again, side by side, and disposed': () => checkPrograms(engine),
    'a profile has times by op': () => checkProfile(engine),
    'the device it computes on is available': () => checkDevices(engine),
  };
  return [
    ...opChecks.map((check) => ({
      name: `op ${check.op.name}`,
      run: () => checkOpLowering(engine, check, { tolerance }),
    })),
    ...Object.entries(checks).map(([name, run]) => ({ name, run })),
  ];
}

async function checkTensors(engine: Engine, dtypes: readonly DType[]): Promise<void> {
  for (const dtype of dtypes) {
    const data = typedArray(Float64Array.of(0, 1, 1, 0, 1, 0), dtype);
    const tensor = await engine.upload(data, [2, 3], dtype);
    claim(tensor.dtype === dtype, `a tensor of ${dtype} says that it is ${tensor.dtype}`);
    claim(
      tensor.shape.join() === '2,3',
      `a tensor [2, 3] says that it is [${tensor.shape.join()}]`,
    );
    const numbers = [...Array.from(numbersOf(await tensor.read(), dtype))];
    claim(numbers.join() === '0,1,1,0,1,0', `a tensor of ${dtype} has become ${numbers.join()}`);
    tensor.dispose();
  }
  const error = await rejection(
    'a tensor [2, 3] of 5 numbers',
    engine.upload(new Float32Array(5), [2, 3], 'float32'),
  );
  claim(isLMFlowError(error), 'a tensor [2, 3] of 5 numbers is not refused by an LMFlowError');
}

async function checkWeights(engine: Engine, tolerance: number): Promise<void> {
  const folder = await mkdtemp(join(tmpdir(), 'lmflow-engine-'));
  try {
    for (const dtype of ['float32', 'float16', 'bfloat16'] as const) {
      const data = typedArray(Float64Array.of(0.5, -1, 2, 0.25, 3, -4), dtype);
      const memory: MemoryWeight = { kind: 'memory', dtype, shape: [2, 3], data };
      const path = join(folder, `${dtype}.bin`);
      const bytes = new Uint8Array(data.buffer);
      await writeFile(path, bytes);
      const graph = new Graph();
      const x = graph.input('x', 'float32', [2, 3]);
      const weight = graph.weight('in memory', memory);
      const file = graph.weight('in a file', {
        kind: 'file',
        dtype,
        shape: [2, 3],
        path,
        offset: 0,
        byteLength: bytes.byteLength,
      });
      graph.output('y', add(mul(x, cast(weight, 'float32')), cast(file, 'float32')));
      const numbers = { x: ndarray([2, 3], [1, 2, 3, 4, 5, 6]) };
      await checkLowering(engine, graph, numbers, { tolerance, readWeight: readNumbers });
    }
  } finally {
    await rm(folder, { recursive: true, force: true });
  }
}

function doubling(): Graph {
  const graph = new Graph();
  const x = graph.input('x', 'float32', [3]);
  graph.output('y', add(x, x));
  return graph;
}

const upload = (engine: Engine, ...numbers: number[]): Promise<Tensor> =>
  engine.upload(Float32Array.from(numbers), [numbers.length], 'float32');

async function read(tensor: Tensor | undefined): Promise<string> {
  if (!tensor) throw new Error('a result is missing');
  return [...Array.from(numbersOf(await tensor.read(), tensor.dtype))].join();
}

async function checkRefusals(engine: Engine): Promise<void> {
  const program = await engine.compile(doubling());
  const whole = await engine.upload(Int32Array.of(1, 2, 3), [3], 'int32');
  const wrong = {
    missing: {},
    'of another shape': { x: await upload(engine, 1, 2) },
    'of another dtype': { x: whole },
  };
  for (const [what, inputs] of Object.entries(wrong)) {
    const error = await rejection(`an input ${what}`, program.run(inputs));
    claim(isLMFlowError(error), `an input ${what} is not refused by an LMFlowError`);
    claim((error as Error).message.includes('"x"'), `an input ${what}: its name is not said`);
  }
  const x = await upload(engine, 1, 2, 3);
  const error = await rejection('an output of another dtype', program.run({ x }, { y: whole }));
  claim(isLMFlowError(error), 'an output of another dtype is not refused by an LMFlowError');
  await program.dispose();
}

async function checkUnknownOps(engine: Engine, tolerance: number): Promise<void> {
  const triple = defineOp({
    name: '@lmflow/sdk/testing/triple',
    infer: ([x]) => [x!],
    decompose: ([x]) => [mul(x!, 3)],
  });
  const composite = new Graph();
  composite.output('y', applyOne(triple, [composite.input('x', 'float32', [2])], {}));
  await checkLowering(engine, composite, { x: ndarray([2], [1, -2]) }, { tolerance });
  const primitive = defineOp({
    name: '@lmflow/sdk/testing/primitive',
    infer: ([x]) => [x!],
    evaluate: ([x]) => [x!],
  });
  const graph = new Graph();
  graph.output('y', applyOne(primitive, [graph.input('x', 'float32', [2])], {}));
  const inputs = { x: ndarray([2], [1, 2]) };
  await checkLowering(engine, graph, inputs, { tolerance }).catch((error: unknown) => {
    claim(
      isLMFlowError(error) && error.code === 'LMFLOW_OP_UNSUPPORTED',
      `a primitive that the engine does not know is not LMFLOW_OP_UNSUPPORTED: ${String(error)}`,
    );
  });
}

async function checkOutputs(engine: Engine): Promise<void> {
  const program = await engine.compile(doubling());
  const [x, target] = [await upload(engine, 1, 2, 3), await upload(engine, 0, 0, 0)];
  const { y } = await program.run({ x }, { y: target });
  claim(y === target, 'the result is another tensor than the one that was given for it');
  claim((await read(target)) === '2,4,6', 'the tensor that was given has another result');
  await program.run({ x }, { y: x });
  claim((await read(x)) === '2,4,6', "the result is not in the input's own tensor");
  await program.dispose();
}

async function checkPrograms(engine: Engine): Promise<void> {
  const [first, second] = [await engine.compile(doubling()), await engine.compile(doubling())];
  const x = await upload(engine, 1, 2, 3);
  const results = await Promise.all([first.run({ x }), second.run({ x })]);
  const again = await first.run({ x });
  for (const { y } of [...results, again]) {
    claim((await read(y)) === '2,4,6', 'two programs side by side, or two runs, disagree');
  }
  await first.dispose();
  await first.dispose();
  const error = await rejection('a program after dispose()', first.run({ x }));
  claim(isLMFlowError(error), 'a program after dispose() is not refused by an LMFlowError');
  claim((await read((await second.run({ x }))['y'])) === '2,4,6', 'dispose() took another program');
  await second.dispose();
}

async function checkProfile(engine: Engine): Promise<void> {
  const program = await engine.compile(doubling(), { profile: true });
  await program.run({ x: await upload(engine, 1, 2, 3) });
  const profile = await program.profile?.();
  await program.dispose();
  if (!profile) return;
  claim(
    profile.ops.some(({ name, count }) => name === 'add' && count > 0),
    'the profile lacks the op add',
  );
  for (const rows of ['ops', 'regions', 'kernels'] satisfies (keyof Profile)[]) {
    claim(isRanked(profile[rows]), `the profile's ${rows} are not ranked by their seconds`);
  }
}

function isRanked(rows: readonly ProfileRow[]): boolean {
  return rows.every(
    ({ seconds }, index) => seconds >= 0 && seconds <= (rows[index - 1]?.seconds ?? Infinity),
  );
}

async function checkDevices(engine: Engine): Promise<void> {
  const own = (await engine.devices()).find(({ device }) => device === engine.device);
  claim(own?.available === true, `devices() does not say that ${engine.device} is available`);
}
