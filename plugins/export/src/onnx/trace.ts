// The model as an ONNX graph of free sizes: traced with stand-ins, and a second time with others,
// since what depends on them in a way that cannot be seen would differ.
import type { Architecture, BuildingFunctions, Model } from '@lmflow/sdk/model';
import type { WeightSource } from '@lmflow/sdk/graph';
import type { PortableModel, PortableModelMaker } from '@lmflow/plugin-engine-onnx';
import { onnxAmbiguous, onnxUnsupported } from '../errors.ts';
import { layOut } from './file.ts';
import { freeSizes, stepGraph } from './graph.ts';
import { ExportedWeights, type OnnxNumbers } from './numbers.ts';
import { standIns } from './sizes.ts';

export interface Traced {
  readonly portable: PortableModel;
  /** The bytes of one of its weights. */
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
  numbers: OnnxNumbers,
  contextLength: number,
): Traced {
  const weights = new ExportedWeights(model, numbers);
  const stripped: Model = {
    ...base,
    weights: weights.sources,
    parameters: new Map(),
    build: withBlocks(base, weights),
  };
  const make = (largest: number): PortableModel => {
    const sizes = standIns(largest);
    return portableModel(stepGraph(stripped, sizes, contextLength), {
      name: model.architecture.family,
      free: freeSizes(sizes),
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
      `a plugin computes with numbers of its own (${foreign.name}); leave it out, and say --quantization for smaller numbers`,
    );
  }
  const { places } = layOut(portable.tensors, 'model', Infinity);
  if (Buffer.compare(portable.encode(places), again.encode(places)) !== 0) {
    throw onnxAmbiguous(model.source);
  }
  return { portable, read: (source) => weights.read(source) };
}

/**
 * Products with blocks, where the numbers are such; a tied embedding is looked up in floats all the
 * same.
 */
function withBlocks(
  { build, linears, architecture }: Model,
  weights: ExportedWeights,
): BuildingFunctions {
  const { hiddenSize: inFeatures, vocabularySize: outFeatures } = architecture;
  return {
    ...build,
    matmul: (trace, x, layer) => weights.product(trace, x, layer) ?? build.matmul(trace, x, layer),
    logits: (trace, output) => {
      const { source } = output.weight;
      if (source.kind !== 'weight') return build.logits(trace, output);
      const { name } = source;
      const head = linears.find(({ weight }) => weight === name) ?? {
        name,
        weight: name,
        inFeatures,
        outFeatures,
        layout: 'out-in' as const,
      };
      return weights.product(trace, output.hidden, head) ?? build.logits(trace, output);
    },
  };
}

function figures(architecture: Architecture): number[] {
  return Object.values(architecture).filter((value): value is number => typeof value === 'number');
}
