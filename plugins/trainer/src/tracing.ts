// A model and an objective become a tensor program for one shape of batch: parameters, batch tensors and dropout masks are its inputs.
import type { Batch, Model, Objective, Trace } from '@lmflow/sdk';
import { grad, Graph, type Shape, type Value } from '@lmflow/sdk/graph';

/** A dropout mask of the program, filled anew for every run. */
export interface DropoutSite {
  readonly site: string;
  /** Its input of the graph. */
  readonly input: string;
  readonly shape: Shape;
  readonly probability: number;
}

export interface TracedProgram {
  readonly graph: Graph;
  readonly dropout: readonly DropoutSite[];
  /** Names of the parameters that the program takes as inputs. */
  readonly parameters: readonly string[];
  /** Those of them that it gives a gradient of. */
  readonly trained: readonly string[];
  /** Further sums besides the loss. */
  readonly metrics: readonly string[];
}

/** Graph input that holds a parameter. */
export const parameterInput = (name: string): string => `parameter:${name}`;
/** Graph output that holds a parameter's gradient. */
export const gradientOutput = (name: string): string => `gradient:${name}`;
/** Graph output that holds a further sum. */
export const metricOutput = (name: string): string => `metric:${name}`;

/** Outputs `loss` (a sum), `metric:*`, and with mode `training` `gradient:*` of every active parameter that the program uses. */
export function traceProgram(model: Model, objective: Objective, batch: Batch, mode: 'training' | 'evaluation'): TracedProgram {
  const graph = new Graph();
  const sites = new Map<string, DropoutSite>();
  const { loss, metrics = {} } = objective.build(makeTrace({ graph, model, batch, mode, sites }));
  graph.output('loss', loss);
  for (const [name, value] of Object.entries(metrics)) graph.output(metricOutput(name), value);
  const parameters = [...model.parameters.keys()].filter((name) => graph.inputs.has(parameterInput(name)));
  const trained = mode === 'training' ? parameters.filter((name) => model.parameters.get(name)!.active !== false) : [];
  const gradients = trained.length > 0 ? grad(loss, trained.map((name) => graph.inputs.get(parameterInput(name))!)) : [];
  trained.forEach((name, index) => graph.output(gradientOutput(name), gradients[index]!));
  return { graph, parameters, trained, dropout: [...sites.values()], metrics: Object.keys(metrics) };
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
    if (!tensor) throw new TypeError(`the batch has no tensor "${name}" (it has ${Object.keys(batch.tensors).join(', ')})`);
    return graph.input(name, tensor.dtype, tensor.shape);
  };
  return {
    graph, model, mode, input,
    batchSize: batch.size,
    length: batch.length,
    // Asked for by name, so that a program that needs none of them does not take them.
    get positions() { return input('positions'); },
    get segments() { return batch.tensors['segments'] && input('segments'); },
    dropoutMask: (site, shape, probability) => {
      const name = `dropout:${site}`;
      sites.set(site, { site, shape, probability, input: name });
      return graph.input(name, 'uint8', shape);
    },
  };
}
