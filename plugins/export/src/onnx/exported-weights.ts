// The weights of an exported model under each --quantization: their types, the names that
// transformers.js has for them, and their bytes.
import { outputRows, type LinearLayer, type Model, type Trace } from '@lmflow/sdk/model';
import { sizeOf, type DType, type Shape, type Value, type WeightSource } from '@lmflow/sdk/graph';
import { toFloat16 } from '@lmflow/sdk/formats';
import { checkRange, readMerged } from '../merged-weights.ts';
import { blockProduct, partShapes, toBlocks, type Bits, type BlockAttributes } from './blocks.ts';

interface WeightTypes {
  /** The name in transformers.js. */
  readonly dtype: string;
  /** The end of the model file's name that transformers.js expects. */
  readonly suffix: string;
  /** Element type of matrices; vectors stay float32. */
  readonly matrices: 'float32' | 'float16';
  /** Bits of the linears and of the head; absent where products are computed in floats. */
  readonly blocks?: { readonly linears: Bits; readonly head: Bits };
}

export const ONNX_QUANTIZATIONS = {
  f32: { dtype: 'fp32', suffix: '', matrices: 'float32' },
  f16: { dtype: 'fp16', suffix: '_fp16', matrices: 'float16' },
  q8: { dtype: 'q8', suffix: '_quantized', matrices: 'float32', blocks: { linears: 8, head: 8 } },
  q4: { dtype: 'q4', suffix: '_q4', matrices: 'float32', blocks: { linears: 4, head: 8 } },
} as const satisfies Readonly<Record<string, WeightTypes>>;
export type OnnxQuantization = keyof typeof ONNX_QUANTIZATIONS;

/** The weights of an export: sources for the graph, and the bytes behind each source. */
export class ExportedWeights {
  /** Sources for the graph, with the type that is written; their path and offset are not used. */
  readonly sources = new Map<string, WeightSource>();
  readonly #readers = new Map<WeightSource, () => Promise<Uint8Array>>();
  readonly #parts = new Map<
    string,
    { readonly codes: WeightSource; readonly scales: WeightSource }
  >();
  readonly #model: Model;
  readonly #types: WeightTypes;
  #encoded:
    { readonly key: string; readonly parts: Promise<ReturnType<typeof toBlocks>> } | undefined;

  constructor(model: Model, quantization: OnnxQuantization) {
    this.#model = model;
    this.#types = ONNX_QUANTIZATIONS[quantization];
    for (const [name, { shape: stored }] of model.weights) {
      const shape = model.parameters.get(name)?.shape ?? stored;
      const dtype = shape.length > 1 ? this.#types.matrices : 'float32';
      this.sources.set(
        name,
        this.#source(dtype, shape, async () => {
          const data = await readMerged(model, name);
          if (dtype === 'float16') checkRange(name, data);
          return bytesOf(dtype === 'float16' ? toFloat16(data) : data);
        }),
      );
    }
  }

  /**
   * The product with a linear of a block or with the head (which has no `layer`); undefined where
   * it is computed in floats.
   */
  product({ graph }: Trace, x: Value, layer: LinearLayer): Value | undefined {
    const { blocks } = this.#types;
    if (!blocks || !this.sources.has(layer.weight)) return undefined;
    const { inFeatures, outFeatures, weight } = layer;
    const attributes: BlockAttributes = {
      bits: layer.layer === undefined ? blocks.head : blocks.linears,
      inFeatures,
      outFeatures,
    };
    const { codes, scales } = this.#partsOf(layer, attributes);
    return blockProduct(
      x,
      graph.weight(`${weight}:codes`, codes),
      graph.weight(`${weight}:scales`, scales),
      attributes,
    );
  }

  has(source: WeightSource): boolean {
    return this.#readers.has(source);
  }

  /** The bytes of a weight, with what the adapter adds. */
  read(source: WeightSource): Promise<Uint8Array> {
    return this.#readers.get(source)!();
  }

  #partsOf(
    layer: LinearLayer,
    attributes: BlockAttributes,
  ): { readonly codes: WeightSource; readonly scales: WeightSource } {
    const known = this.#parts.get(layer.weight);
    if (known) return known;
    const shapes = partShapes(attributes);
    // Codes and scales are read one after the other: the encoded weight is kept between.
    const encoded = (): Promise<ReturnType<typeof toBlocks>> => {
      if (this.#encoded?.key !== layer.weight) {
        this.#encoded = { key: layer.weight, parts: this.#encode(layer, attributes) };
      }
      return this.#encoded.parts;
    };
    const made = {
      codes: this.#source('uint8', shapes.codes, async () => (await encoded()).codes),
      scales: this.#source('float32', shapes.scales, async () => bytesOf((await encoded()).scales)),
    };
    this.#parts.set(layer.weight, made);
    return made;
  }

  async #encode(
    layer: LinearLayer,
    attributes: BlockAttributes,
  ): Promise<ReturnType<typeof toBlocks>> {
    const numbers = await readMerged(this.#model, layer.weight);
    checkRange(layer.weight, numbers);
    return toBlocks(outputRows(numbers, layer), attributes);
  }

  #source(dtype: DType, shape: Shape, read: () => Promise<Uint8Array>): WeightSource {
    const source: WeightSource = {
      kind: 'file',
      path: this.#model.source,
      offset: 0,
      byteLength: sizeOf(shape),
      shape,
      dtype,
    };
    this.#readers.set(source, read);
    return source;
  }
}

function bytesOf({ buffer, byteOffset, byteLength }: ArrayBufferView): Uint8Array {
  return new Uint8Array(buffer, byteOffset, byteLength);
}
