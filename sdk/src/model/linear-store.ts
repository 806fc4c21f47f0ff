// Stores a model's linears in another form: made once, one group of linears at a time, into files
// that the engine maps, or in memory for weights that have no file. Plugins define the form.
import { cacheFolder, derivedFile, type DerivedRequest } from '../files/index.ts';
import type { Logger } from '../logger.ts';
import {
  BYTES,
  sizeOf,
  type FileWeight,
  type TypedArray,
  type ValueType,
  type WeightSource,
} from '../graph/index.ts';
import type { LinearLayer } from './architecture.ts';
import { floatWeight } from './float-weight.ts';
import type { Model } from './model.ts';

/** Each part of a file begins at a multiple of this. */
const ALIGNMENT = 64;

/** A form that linears are kept in. `L` is what a plugin knows of a linear. */
export interface LinearForm<L extends LinearLayer = LinearLayer> {
  /** For messages: `quantized 14 linears to nf4`. */
  readonly name: string;
  /** Folder in the cache where the user names none: `qlora`. */
  readonly cache: string;
  /** Linears that are kept in one file; default: each linear has its file. */
  readonly groups?: (linears: readonly L[]) => readonly (readonly L[])[];
  /** Types of the arrays that a group is kept as. */
  readonly parts: (group: readonly L[]) => readonly ValueType[];
  /** Makes the arrays. Peak memory is theirs, and what this needs. */
  readonly make: (group: readonly L[]) => Promise<readonly TypedArray[]>;
  /** What decides the arrays beside the weights: options, and a version of the form. */
  readonly key: (group: readonly L[]) => Readonly<Record<string, unknown>>;
  /** false: a file ends with its last part; otherwise it is filled up like the parts before. */
  readonly fillsUp?: boolean;
  /**
   * Parts of the checkpoint's files that a linear is made from; where this is left out its weight,
   * LMFLOW_WEIGHT_PACKED where it has none in floating point.
   */
  readonly sources?: (linear: L) => readonly FileWeight[];
  /** Arrays that the checkpoint has already; undefined for a group that is to be made. */
  readonly inPlace?: (group: readonly L[]) => readonly WeightSource[] | undefined;
}

/** A group of linears in its form. */
export interface StoredGroup<L extends LinearLayer = LinearLayer> {
  readonly linears: readonly L[];
  /** In the order of the form's `parts`. */
  readonly parts: readonly WeightSource[];
}

/** A linear in its form. */
export interface StoredLinear<L extends LinearLayer = LinearLayer> {
  readonly layer: L;
  readonly group: StoredGroup<L>;
}

/** Which plugin stores linears, and where. */
export interface StoreRequest<L extends LinearLayer> {
  readonly linears: readonly L[];
  readonly form: LinearForm<L>;
  /** Section of the plugin's options, for messages. */
  readonly section: string;
  /** Folder that the user named. */
  readonly cacheDir?: string | undefined;
  readonly log: Logger;
}

/** Makes what is not stored yet; by name of the linear. Throws LMFLOW_CACHE_UNWRITABLE. */
export async function storeLinears<L extends LinearLayer>(
  model: Model,
  { linears, form, section, cacheDir, log }: StoreRequest<L>,
): Promise<ReadonlyMap<string, StoredLinear<L>>> {
  const folder = cacheDir ?? cacheFolder(form.cache);
  const setting = `${section}.cacheDir`;
  const stored = new Map<string, StoredLinear<L>>();
  let made = 0;
  for (const members of form.groups?.(linears) ?? linears.map((layer) => [layer])) {
    const found = await storeGroup(model, members, form, { folder, setting });
    const group = { linears: members, parts: found.parts };
    for (const layer of members) stored.set(layer.name, { layer, group });
    if (!found.made) continue;
    made += members.length;
    log.progress(`quantizing to ${form.name}  ${stored.size}/${linears.length}`);
  }
  if (made > 0) log.info(`quantized ${made} linears to ${form.name}, once (kept in ${folder})`);
  return stored;
}

async function storeGroup<L extends LinearLayer>(
  model: Model,
  group: readonly L[],
  form: LinearForm<L>,
  place: Pick<DerivedRequest, 'folder' | 'setting'>,
): Promise<{ readonly parts: readonly WeightSource[]; readonly made: boolean }> {
  const inPlace = form.inPlace?.(group);
  if (inPlace) return { made: false, parts: inPlace };
  const types = form.parts(group);
  const sourcesOf = form.sources ?? ((layer: L) => fileOf(model, layer));
  const [weight, ...others] = group.flatMap(sourcesOf);
  if (!weight) {
    const arrays = await form.make(group);
    const inMemory = types.map((type, index): WeightSource => ({
      ...type,
      kind: 'memory',
      data: arrays[index]!,
    }));
    return { made: false, parts: inMemory };
  }
  const { places, byteLength } = layOut(types, form.fillsUp ?? true);
  const { path, made } = await derivedFile({
    ...place,
    weight,
    others,
    byteLength,
    key: form.key(group),
    make: async () => {
      const ends = [...places.slice(1).map(({ offset }) => offset), byteLength];
      return (await form.make(group)).flatMap((array, index) => [
        new Uint8Array(array.buffer, array.byteOffset, array.byteLength),
        new Uint8Array(ends[index]! - places[index]!.offset - array.byteLength),
      ]);
    },
  });
  const inFile = types.map((type, index): WeightSource => ({
    ...type,
    kind: 'file',
    path,
    ...places[index]!,
  }));
  return { made, parts: inFile };
}

function fileOf(model: Model, { weight }: LinearLayer): readonly FileWeight[] {
  const source = floatWeight(model, weight);
  return source.kind === 'file' ? [source] : [];
}

interface Layout {
  readonly places: readonly { readonly offset: number; readonly byteLength: number }[];
  readonly byteLength: number;
}

function layOut(types: readonly ValueType[], fillsUp: boolean): Layout {
  let end = 0;
  const places = types.map(({ dtype, shape }) => {
    const offset = aligned(end);
    const byteLength = sizeOf(shape) * BYTES[dtype];
    end = offset + byteLength;
    return { offset, byteLength };
  });
  return { places, byteLength: fillsUp ? aligned(end) : end };
}

function aligned(bytes: number): number {
  return Math.ceil(bytes / ALIGNMENT) * ALIGNMENT;
}
