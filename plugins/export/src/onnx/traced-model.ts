// The model as an ONNX graph with dynamic sizes: traced with stand-ins, and again with others. Both
// graphs are equal unless a size became a fixed number.
import { view, wrap, type Architecture, type Model } from '@lmflow/sdk/model';
import type { WeightSource } from '@lmflow/sdk/graph';
import type { PortableModel, PortableModelMaker } from '@lmflow/plugin-engine-onnx';
import { onnxAmbiguous, onnxUnsupported } from '../errors.ts';
import { ExportedWeights, type OnnxQuantization } from './exported-weights.ts';
import { layOut } from './file.ts';
import { by, dynamicSizes, stepGraph } from './graph.ts';
import { standInSizes } from './stand-in-sizes.ts';

export interface Traced {
  readonly portable: PortableModel;
  /** The bytes of a weight. */
  readonly read: (source: WeightSource) => Promise<Uint8Array>;
}

/**
 * Traces `base`, with the weights of `model`. Throws LMFLOW_ONNX_UNSUPPORTED, LMFLOW_ONNX_AMBIGUOUS
 * or LMFLOW_ENGINE_SIZE_FIXED.
 */
export function traced(
  model: Model,
  base: Model,
  portableModel: PortableModelMaker,
  quantization: OnnxQuantization,
  contextLength: number,
): Traced {
  const weights = new ExportedWeights(model, quantization);
  const stripped = view(base, { weights: weights.sources, parameters: new Map() });
  multiplyBlocks(stripped, weights);
  const make = (largest: number): PortableModel => {
    const sizes = standInSizes(largest);
    return portableModel(stepGraph(stripped, sizes, contextLength), {
      name: model.architecture.family,
      free: dynamicSizes(sizes),
    });
  };
  const largest = Math.max(
    contextLength,
    ...figures(model.architecture),
    ...[...weights.sources.values()].flatMap(({ shape }) => shape),
  );
  const [portable, again] = [make(largest), make(2 * largest)];
  const foreign = portable.tensors.find(
    ({ source }) => !(source instanceof Uint8Array) && !weights.has(source),
  );
  if (foreign) {
    throw onnxUnsupported(
      model.source,
      `a plugin adds its own numbers to the graph (${foreign.name})`,
    );
  }
  const { places } = layOut(portable.tensors, 'model', Infinity);
  if (Buffer.compare(portable.encode(places), again.encode(places)) !== 0) {
    throw onnxAmbiguous(model.source);
  }
  return { portable, read: (source) => weights.read(source) };
}

/**
 * Computes products in blocks where the quantization has them. The lookup in a tied embedding stays
 * in floats.
 */
function multiplyBlocks(model: Model, weights: ExportedWeights): void {
  const { linears, architecture } = model;
  wrap(
    model,
    'matmul',
    by,
    (inner) => (trace, x, layer) => weights.product(trace, x, layer) ?? inner(trace, x, layer),
  );
  wrap(model, 'logits', by, (inner) => (trace, output) => {
    const { source } = output.weight;
    if (source.kind !== 'weight') return inner(trace, output);
    const { name } = source;
    const head = linears.find(({ weight }) => weight === name) ?? {
      name,
      weight: name,
      inFeatures: architecture.hiddenSize,
      outFeatures: architecture.vocabularySize,
      layout: 'out-in' as const,
    };
    return weights.product(trace, output.hidden, head) ?? inner(trace, output);
  });
}

function figures(architecture: Architecture): number[] {
  return Object.values(architecture).filter((value): value is number => typeof value === 'number');
}
