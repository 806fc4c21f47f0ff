// The vector of one linear, and what it does to the linear's numbers. No graph here: see apply.ts.
import type { LinearLayer, Parameter } from '@lmflow/sdk/model';

export interface Ia3Vector {
  readonly layer: LinearLayer;
  /** It scales the input (a feedforward module), not the output. */
  readonly input: boolean;
  /** [1, inFeatures] or [outFeatures, 1]: PEFT's shapes. */
  readonly parameter: Parameter;
}

/** A vector of ones: the linear as it is. */
export function vectorOf(layer: LinearLayer, input: boolean): Ia3Vector {
  const [shape, length] = input
    ? [[1, layer.inFeatures], layer.inFeatures]
    : [[layer.outFeatures, 1], layer.outFeatures];
  const data = new Float32Array(length).fill(1);
  return { layer, input, parameter: { name: `${layer.name}.ia3_l`, shape, data, decay: true } };
}

/** What scaling adds to the linear's weight, in the file's layout. */
export function weightDelta(
  { layer, input, parameter }: Ia3Vector,
  base: Float32Array,
): Float32Array {
  const columns = layer.layout === 'out-in' ? layer.inFeatures : layer.outFeatures;
  const byColumn = input === (layer.layout === 'out-in');
  return base.map((number, place) => {
    const index = byColumn ? place % columns : Math.floor(place / columns);
    return number * (parameter.data[index]! - 1);
  });
}
