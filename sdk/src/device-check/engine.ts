// An engine whose device is compared with the CPU: the first run of the first program of a family
// is done on both, whatever it is for (training, decoding, an update). What is seen to agree is
// kept, so that it costs a machine one run of each family.
import type {
  CompileOptions,
  DeviceReport,
  Engine,
  Program,
  Tensor,
  TensorMap,
} from '../engine.ts';
import type { DType, Graph, Shape, TypedArray } from '../graph/index.ts';
import { messageOf } from '../errors.ts';
import type { Logger } from '../logger.ts';
import { numbersOf } from '../testing/numbers.ts';
import { agreements, describeAgreement, isApart, type Outputs } from './agreement.ts';
import { deviceWrong } from './errors.ts';
import { familyOf } from './family.ts';
import { Verdicts } from './verdicts.ts';

/** What a check of a device needs. */
export interface DeviceCheckSetup {
  /** The engine on the device. */
  readonly engine: EngineInstance;
  /** The same engine on the CPU; made when it is first needed. */
  readonly reference: () => EngineInstance;
  /** Where it is noted what agreed. */
  readonly folder: string;
  /** Versions of the engine and its runtime: another version is compared anew. */
  readonly versions: () => Promise<readonly string[]>;
  readonly log?: Logger | undefined;
}

/** An engine as its package makes it. */
export type EngineInstance = Engine & { dispose?(): Promise<void> };

/** An engine that is disposed with what it was made of. */
export interface CheckedEngine extends Engine {
  dispose(): Promise<void>;
}

/**
 * The engine, with the first run of each family of programs compared with the reference. Such a run
 * rejects with LMFLOW_DEVICE_WRONG where an output is off, naming the ops that differ.
 */
export function checkedEngine(setup: DeviceCheckSetup): CheckedEngine {
  return new EngineWithCheck(setup);
}

class EngineWithCheck implements CheckedEngine {
  readonly name: string;
  readonly device: string;
  readonly #setup: DeviceCheckSetup;
  readonly #verdicts: Verdicts;
  #reference: EngineInstance | undefined;

  constructor(setup: DeviceCheckSetup) {
    const { engine, folder, versions } = setup;
    this.#setup = setup;
    this.name = engine.name;
    this.device = engine.device;
    this.#verdicts = new Verdicts(folder, async () => [
      engine.name,
      engine.device,
      ...(await versions()),
    ]);
  }

  upload(data: TypedArray, shape: Shape, dtype: DType): Promise<Tensor> {
    return this.#setup.engine.upload(data, shape, dtype);
  }

  async compile(graph: Graph, options: CompileOptions = {}): Promise<Program> {
    const program = await this.#setup.engine.compile(graph, options);
    const family = familyOf(graph, options.family);
    const switches = scalarInputs(graph);
    if (switches.length === 0 && (await this.#verdicts.isGood(family))) return program;
    const { engine, log } = this.#setup;
    this.#reference ??= this.#setup.reference();
    const { name = 'a program' } = options;
    const subject = { graph, family, switches, name, logged: options.family !== undefined };
    return new CheckedProgram(program, subject, {
      engine,
      log,
      reference: this.#reference,
      verdicts: this.#verdicts,
    });
  }

  devices(): Promise<readonly DeviceReport[]> {
    return this.#setup.engine.devices();
  }

  async dispose(): Promise<void> {
    await this.#setup.engine.dispose?.();
    await this.#reference?.dispose?.();
  }
}

interface Subject {
  readonly graph: Graph;
  readonly family: string;
  /** Inputs that hide a part of the program where they are zero: the learning rate of a warmup. */
  readonly switches: readonly string[];
  readonly name: string;
  /** Whether the comparison is logged; otherwise, as for each size of an update, only debugged. */
  readonly logged: boolean;
}

interface Comparing {
  readonly engine: Engine;
  readonly reference: Engine;
  readonly verdicts: Verdicts;
  readonly log: Logger | undefined;
}

function scalarInputs(graph: Graph): string[] {
  return [...graph.inputs].flatMap(([name, { dtype, shape }]) =>
    dtype === 'float32' && shape.length === 0 ? [name] : [],
  );
}

/** Runs that are compared until one says something: zeros agree with nearly everything. */
const MOST_RUNS = 3;

class CheckedProgram implements Program {
  readonly profile?: NonNullable<Program['profile']>;
  readonly #program: Program;
  readonly #comparing: Comparing;
  /** undefined once nothing is to be compared any more, so that the graph can be forgotten. */
  #subject: Subject | undefined;
  /** Runs by their key. */
  readonly #runs = new Map<string, number>();

  constructor(program: Program, subject: Subject, comparing: Comparing) {
    this.#program = program;
    this.#subject = subject;
    this.#comparing = comparing;
    if (program.profile) this.profile = () => program.profile!();
  }

  async run(inputs: TensorMap, outputs?: TensorMap): Promise<TensorMap> {
    const subject = this.#subject;
    const key = subject && (await this.#openKey(subject, inputs));
    if (key === undefined) return this.#program.run(inputs, outputs);
    // First, since results may be written over inputs.
    const expected = await this.#expected(subject!, inputs);
    const results = await this.#program.run(inputs, outputs);
    await this.#compare(subject!, key, await numbersIn(results), expected);
    this.#runs.set(key, (this.#runs.get(key) ?? 0) + 1);
    return results;
  }

  dispose(): Promise<void> {
    this.#subject = undefined;
    return this.#program.dispose();
  }

  /** What a run's verdict is kept under; undefined where there is one. */
  async #openKey({ family, switches }: Subject, inputs: TensorMap): Promise<string | undefined> {
    let key = family;
    for (const name of switches) {
      if (Number((await inputs[name]?.read())?.[0]) === 0) key += ` without ${name}`;
    }
    const isDone = (this.#runs.get(key) ?? 0) >= MOST_RUNS;
    if (!isDone && !(await this.#comparing.verdicts.isGood(key))) return key;
    if (switches.length === 0) this.#subject = undefined;
    return undefined;
  }

  async #expected({ graph, name }: Subject, inputs: TensorMap): Promise<Outputs> {
    const { reference } = this.#comparing;
    const program = await reference.compile(graph, { name, keepMemory: false });
    const tensors: Record<string, Tensor> = {};
    try {
      for (const input of graph.inputs.keys()) {
        const given = inputs[input];
        if (!given) continue; // the engine says so
        tensors[input] = await reference.upload(await given.read(), given.shape, given.dtype);
      }
      return await numbersIn(await program.run(tensors), true);
    } finally {
      await program.dispose();
    }
  }

  async #compare(
    { graph, name, logged }: Subject,
    key: string,
    found: Outputs,
    expected: Outputs,
  ): Promise<void> {
    const { engine, verdicts, log } = this.#comparing;
    const seen = agreements(found, expected);
    const figures = seen.map(describeAgreement).join('; ');
    const text = `device check: ${name} on ${engine.device} against the CPU: ${figures}`;
    if (logged) log?.event('device-check', { device: engine.device, program: name, seen }, text);
    else log?.debug(text);
    const apart = seen.filter(isApart);
    if (apart.length > 0) {
      log?.info(`device check: looking for the op that differs on ${engine.device}`);
      const { differingOps } = await import('./differing-ops.ts'); // all cases of all ops
      const ops = await differingOps(engine, graph);
      throw deviceWrong(engine.device, name, apart.map(describeAgreement), ops);
    }
    if (seen.some(({ cosine }) => cosine === undefined)) return;
    await verdicts
      .record(key, { device: engine.device, program: name, seen })
      .catch((error: unknown) =>
        log?.warn(`device check: it is not noted, so it will be done again: ${messageOf(error)}`),
      );
  }
}

async function numbersIn(tensors: TensorMap, dispose = false): Promise<Outputs> {
  const outputs = new Map<string, ArrayLike<number>>();
  for (const [name, tensor] of Object.entries(tensors)) {
    outputs.set(name, numbersOf(await tensor.read(), tensor.dtype));
    if (dispose) tensor.dispose();
  }
  return outputs;
}
