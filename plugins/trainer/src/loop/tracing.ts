// Traces a model and an objective to a tensor program for one shape of batch. Parameters, tensors
// of the batch and dropout masks are its inputs. programs.ts compiles and runs it.
import type { Batch, Objective } from '@lmflow/sdk';
import { parameterInput, type Model, type Trace } from '@lmflow/sdk/model';
import { gradients, Graph, type Shape, type Value } from '@lmflow/sdk/graph';

/** A dropout mask of the program, drawn for every run. */
export interface DropoutSite {
  readonly site: string;
  /** Its input of the graph. */
  readonly input: string;
  readonly shape: Shape;
  readonly probability: number;
}

/** An input of uniform numbers in [0, 1), drawn for every run. */
export interface UniformInput {
  readonly input: string;
  readonly shape: Shape;
}

/**
 * What a program computes: the loss and its gradients, the same with labels drawn from the model,
 * or the loss alone.
 */
export type ProgramMode = 'training' | 'sampled' | 'evaluation';

export interface TracedProgram {
  readonly graph: Graph;
  readonly dropout: readonly DropoutSite[];
  readonly uniforms: readonly UniformInput[];
  /** Names of the parameters that the program takes as inputs. */
  readonly parameters: readonly string[];
  /** Those of them whose gradient is an output. */
  readonly trained: readonly string[];
  /** Further sums besides the loss. */
  readonly metrics: readonly string[];
}

/** Graph output that holds a parameter's gradient. */
export const gradientOutput = (name: string): string => `gradient:${name}`;
/** Graph output that holds a further sum. */
export const metricOutput = (name: string): string => `metric:${name}`;

/** Graph output that holds the denominator of a further sum that has one. */
export const weightOutput = (name: string): string => `weight of metric:${name}`;

/**
 * Outputs `loss` (a sum) and `metric:*`; for training also `gradient:*` of every active parameter
 * that the program uses.
 */
export function traceProgram(
  model: Model,
  objective: Objective,
  batch: Batch,
  mode: ProgramMode,
): TracedProgram {
  const graph = new Graph();
  const sites = new Map<string, DropoutSite>();
  const uniforms: UniformInput[] = [];
  const trace = makeTrace({
    graph,
    model,
    batch,
    mode: mode === 'evaluation' ? mode : 'training',
    sites,
  });
  const uniform = (shape: Shape): Value => {
    const input = `uniform:${uniforms.length}`;
    uniforms.push({ input, shape });
    return graph.input(input, 'float32', shape);
  };
  const { loss, metrics = {} }: ReturnType<Objective['build']> =
    mode === 'sampled' ? objective.buildSampled!(trace, uniform) : objective.build(trace);
  graph.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) {
    const ratio = 'weight' in value ? value : undefined;
    graph.output(metricOutput(name), ratio ? ratio.sum : (value as Value));
    if (ratio) graph.output(weightOutput(name), ratio.weight);
  }
  const parameters = [...model.parameters.keys()].filter((name) =>
    graph.inputs.has(parameterInput(name)),
  );
  const trained =
    mode === 'evaluation'
      ? []
      : parameters.filter((name) => model.parameters.get(name)!.active !== false);
  const values = trained.map((name) => graph.inputs.get(parameterInput(name))!);
  const found = trained.length > 0 ? gradients(loss, values) : [];
  const reached = trained.filter((_, index) => found[index]);
  reached.forEach((name) => graph.output(gradientOutput(name), found[trained.indexOf(name)]!));
  return {
    graph,
    parameters,
    trained: reached,
    uniforms,
    dropout: [...sites.values()],
    metrics: Object.keys(metrics),
  };
}

interface TraceRequest {
  readonly graph: Graph;
  readonly model: Model;
  readonly batch: Batch;
  readonly mode: 'training' | 'evaluation';
  readonly sites: Map<string, DropoutSite>;
}

function makeTrace({ graph, model, batch, mode, sites }: TraceRequest): Trace {
  const input = (name: string): Value => {
    const tensor = batch.tensors[name];
    if (!tensor) {
      throw new TypeError(
        `the batch has no tensor "${name}" (it has ${Object.keys(batch.tensors).join(', ')})`,
      );
    }
    return graph.input(name, tensor.dtype, tensor.shape);
  };
  return {
    graph,
    model,
    mode,
    input,
    batchSize: batch.size,
    length: batch.length,
    ...(batch.contextLength === undefined ? {} : { contextLength: batch.contextLength }),
    // Asked for by name, so that a program that needs none of them does not take them.
    get positions() {
      return input('positions');
    },
    get segments() {
      return batch.tensors['segments'] && input('segments');
    },
    dropoutMask: (site, shape, probability) => {
      const name = `dropout:${site}`;
      sites.set(site, { site, shape, probability, input: name });
      return graph.input(name, 'uint8', shape);
    },
  };
}
