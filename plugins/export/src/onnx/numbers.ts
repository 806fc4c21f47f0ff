// What numbers an exported model's weights are: what transformers.js calls them, and how the graph
// reads them.
import { outputRows, type LinearLayer, type Model, type Trace } from '@lmflow/sdk/model';
import { sizeOf, type DType, type Shape, type Value, type WeightSource } from '@lmflow/sdk/graph';
import { toFloat16 } from '@lmflow/sdk/formats';
import { checkRange, readMerged } from '../weights.ts';
import { blockProduct, partShapes, toBlocks, type Bits, type BlockAttributes } from './blocks.ts';

interface Numbers {
  /** transformers.js's name for them, and the end of the model's name there. */
  readonly dtype: string;
  readonly suffix: string;
  /** Element type of matrices; vectors stay float32. */
  readonly matrices: 'float32' | 'float16';
  /** Bits of the blocks' linears and of the head, where products are computed with blocks. */
  readonly blocks?: { readonly linears: Bits; readonly head: Bits };
}

export const ONNX_NUMBERS = {
  f32: { dtype: 'fp32', suffix: '', matrices: 'float32' },
  f16: { dtype: 'fp16', suffix: '_fp16', matrices: 'float16' },
  q8: { dtype: 'q8', suffix: '_quantized', matrices: 'float32', blocks: { linears: 8, head: 8 } },
  q4: { dtype: 'q4', suffix: '_q4', matrices: 'float32', blocks: { linears: 4, head: 8 } },
} as const satisfies Readonly<Record<string, Numbers>>;
export type OnnxNumbers = keyof typeof ONNX_NUMBERS;

/** The weights of an export, by where the graph reads them. */
export class ExportedWeights {
  /** Stand-ins for the checkpoint's weights: the type that is written, and no place yet. */
  readonly sources = new Map<string, WeightSource>();
  readonly #readers = new Map<WeightSource, () => Promise<Uint8Array>>();
  readonly #parts = new Map<
    string,
    { readonly codes: WeightSource; readonly scales: WeightSource }
  >();
  readonly #model: Model;
  readonly #numbers: Numbers;
  #encoded:
    { readonly key: string; readonly parts: Promise<ReturnType<typeof toBlocks>> } | undefined;

  constructor(model: Model, numbers: OnnxNumbers) {
    this.#model = model;
    this.#numbers = ONNX_NUMBERS[numbers];
    for (const [name, { shape: stored }] of model.weights) {
      const shape = model.parameters.get(name)?.shape ?? stored;
      const dtype = shape.length > 1 ? this.#numbers.matrices : 'float32';
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
   * The product of a linear of a block or of the head (which has no `layer`), or undefined where it
   * is computed in floats.
   */
  product({ graph }: Trace, x: Value, layer: LinearLayer): Value | undefined {
    const { blocks } = this.#numbers;
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

  /** The bytes of a weight, the adapter's share added. */
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
    // Both parts of a weight are read one after the other.
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
