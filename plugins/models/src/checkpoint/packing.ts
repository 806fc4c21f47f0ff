// Weights that a checkpoint has in a few bits: config.json's quantization_config and the tensors of
// the format `pack-quantized` of the library compressed-tensors
// (https://github.com/vllm-project/compressed-tensors). Only read here; who computes with them:
// plugin quantize.
import { isModulePattern, matchExpressions, type LinearLayer } from '@lmflow/sdk/model';
import { isSafetensorsDtype } from '@lmflow/sdk/formats';
import { sameShape, type FileWeight, type PackedWeight, type Shape } from '@lmflow/sdk/graph';
import {
  configInvalid,
  packedDtype,
  packedShape,
  settingUnsupported,
  tensorShape,
} from '../errors.ts';
import type { ConfigReader } from '../architecture/config.ts';
import type { Found } from './found-tensor.ts';

/** How one matrix [rows, columns] is packed. */
export interface Packing {
  readonly bits: 4 | 8;
  /** Columns that share a scale. */
  readonly groupSize: number;
  readonly zeroPoints: boolean;
}

/** Groups are cut into blocks of this, so they have to be a multiple of it. */
const SMALLEST_BLOCK = 16;

const FORMAT =
  'only quantized checkpoints in the format pack-quantized of compressed-tensors are read: ' +
  'weights as int of 4 or 8 bits with a scale for each group of columns or each row, ' +
  'activations in floating point';

/**
 * The packed weights by name: none where config.json has no quantization_config. Throws
 * LMFLOW_MODEL_UNSUPPORTED or LMFLOW_MODEL_CONFIG naming the key of what is not read.
 */
export function readPackings(
  config: ConfigReader,
  linears: readonly LinearLayer[],
): ReadonlyMap<string, Packing> {
  const section = config.section('quantization_config');
  if (!section) return new Map();
  if (section.get('quant_method') !== 'compressed-tensors') {
    throw settingUnsupported(
      section.file,
      'quant_method',
      section.values['quant_method'] ?? null,
      FORMAT,
    );
  }
  section.refuse('format', ['pack-quantized', 'mixed-precision'], FORMAT);
  section.refuse('kv_cache_scheme', [], 'keys and values are kept in floating point');
  for (const key of ['sparsity_config', 'transform_config']) {
    if (Object.keys(section.section(key)?.values ?? {}).length > 0) {
      throw settingUnsupported(section.file, key, section.values[key], FORMAT);
    }
  }
  const groups = section.section('config_groups');
  if (!groups) throw section.invalid('config_groups', 'an object');
  const names = linears.map(({ name }) => name);
  const schemes = Object.keys(groups.values).map((name) => readScheme(groups, name, names));
  const ignored = patterns(section, 'ignore', names);
  return new Map(
    linears.flatMap((layer) => {
      // A module's own name says more than a pattern, and that more than the class.
      const named = KINDS.map((kind) =>
        schemes.find(({ targets }) =>
          targets.some((target) => matches(target, layer.name) === kind),
        ),
      );
      const scheme = ignored.some((pattern) => matches(pattern, layer.name) !== undefined)
        ? undefined
        : named.find(Boolean);
      return scheme ? [[layer.weight, packingOf(scheme, layer)] as const] : [];
    }),
  );
}

interface Scheme extends Omit<Packing, 'groupSize'> {
  readonly targets: readonly Pattern[];
  /** undefined: one scale a row. */
  readonly groupSize: number | undefined;
  readonly file: string;
}

function readScheme(groups: ConfigReader, name: string, names: readonly string[]): Scheme {
  const group = groups.section(name)!;
  const weights = group.section('weights');
  if (!weights) throw group.invalid('weights', 'an object');
  group.refuse('format', ['pack-quantized'], FORMAT);
  for (const key of ['input_activations', 'output_activations']) group.refuse(key, [], FORMAT);
  weights.refuse('type', ['int'], FORMAT);
  weights.refuse('dynamic', [false], FORMAT);
  weights.refuse('actorder', [false, 'weight', 'static'], 'columns in another order are not read');
  const bits = weights.count('num_bits');
  if (bits !== 4 && bits !== 8) throw settingUnsupported(weights.file, 'num_bits', bits, FORMAT);
  const size = weights.get('group_size');
  const whole = size === -1 ? 'channel' : 'group';
  const strategy = weights.text('strategy', size === undefined ? 'tensor' : whole);
  if (strategy !== 'group' && strategy !== 'channel') {
    throw settingUnsupported(weights.file, 'strategy', strategy, FORMAT);
  }
  return {
    bits,
    zeroPoints: !weights.flag('symmetric', true),
    targets: patterns(group, 'targets', names),
    groupSize: strategy === 'group' ? weights.count('group_size') : undefined,
    file: weights.file,
  };
}

function packingOf(
  { bits, zeroPoints, groupSize, file }: Scheme,
  { name, inFeatures, layout }: LinearLayer,
): Packing {
  const columns = groupSize ?? inFeatures;
  if (layout !== 'out-in') {
    throw settingUnsupported(
      file,
      'targets',
      name,
      'the format has linears with a row for each output, which this family does not',
    );
  }
  if (inFeatures % columns !== 0 || columns % SMALLEST_BLOCK !== 0) {
    throw settingUnsupported(
      file,
      'group_size',
      groupSize ?? null,
      `of ${name}'s ${inFeatures} columns each group has to be a multiple of ${SMALLEST_BLOCK}, and whole`,
    );
  }
  return { bits, groupSize: columns, zeroPoints };
}

const KINDS = ['name', 'pattern', 'class'] as const;

interface Pattern {
  readonly text: string;
  /** Names that an expression fits; undefined: the text is none. */
  readonly fitting: ReadonlySet<string> | undefined;
}

/**
 * Names, `re:` and an expression that fits a name from its beginning, or the class of all linears.
 * Throws LMFLOW_EXPRESSION_TOO_SLOW.
 */
function patterns(config: ConfigReader, key: string, names: readonly string[]): readonly Pattern[] {
  const list = config.get(key) ?? [];
  if (!Array.isArray(list) || !list.every((name) => typeof name === 'string')) {
    throw config.invalid(key, 'a list of names');
  }
  const expressions = list.filter((text) => text.startsWith('re:'));
  const invalid = expressions.find((text) => !isModulePattern(text.slice(3)));
  if (invalid !== undefined) {
    throw configInvalid(config.file, key, 'names, or re: and a regular expression', invalid);
  }
  const sources = expressions.map((text) => `^(?:${text.slice(3)})`);
  const found = matchExpressions(sources, names, { file: config.file, key });
  return list.map((text) => {
    const matched = found[expressions.indexOf(text)];
    return { text, fitting: matched && new Set(names.filter((_, index) => matched[index])) };
  });
}

function matches({ text, fitting }: Pattern, name: string): (typeof KINDS)[number] | undefined {
  if (fitting) return fitting.has(name) ? 'pattern' : undefined;
  if (text === name) return 'name';
  return text === 'Linear' ? 'class' : undefined;
}

interface Part {
  readonly name: string;
  readonly shape: Shape;
  readonly dtypes: readonly string[];
}
interface Parts {
  readonly codes: Part;
  readonly scales: Part;
  readonly size: Part;
  readonly zeroPoints?: Part;
}

/**
 * The tensors that stand for a weight: words of 32 bits with the first code in the lowest ones,
 * zero points packed down the rows.
 */
function partsOf(
  weight: string,
  [rows = 0, columns = 0]: Shape,
  { bits, groupSize, zeroPoints }: Packing,
): Parts {
  const words = (codes: number): number => Math.ceil((codes * bits) / 32);
  const groups = columns / groupSize;
  return {
    codes: { name: `${weight}_packed`, shape: [rows, words(columns)], dtypes: ['I32'] },
    scales: { name: `${weight}_scale`, shape: [rows, groups], dtypes: ['F32', 'F16', 'BF16'] },
    size: { name: `${weight}_shape`, shape: [2], dtypes: ['I64', 'I32'] },
    ...(zeroPoints
      ? {
          zeroPoints: {
            name: `${weight}_zero_point`,
            shape: [words(rows), groups],
            dtypes: ['I32'],
          },
        }
      : {}),
  };
}

/** Their names and shapes. */
export function packedTensors(
  weight: string,
  shape: Shape,
  packing: Packing,
): readonly (readonly [string, Shape])[] {
  const { codes, scales, size, zeroPoints } = partsOf(weight, shape, packing);
  return [codes, scales, size, ...(zeroPoints ? [zeroPoints] : [])].map((part) => [
    part.name,
    part.shape,
  ]);
}

/**
 * The weight out of its parts, which are all there. Throws LMFLOW_TENSOR_SHAPE or
 * LMFLOW_TENSOR_DTYPE.
 */
export async function readParts(
  weight: string,
  shape: Shape,
  packing: Packing,
  found: ReadonlyMap<string, Found>,
): Promise<PackedWeight> {
  const parts = partsOf(weight, shape, packing);
  const source = ({ name, shape: expected, dtypes }: Part): FileWeight => {
    const { file, stored } = found.get(name)!;
    const entry = file.tensors.get(stored)!;
    if (!sameShape(expected, entry.shape)) {
      throw tensorShape(file.path, stored, expected, entry.shape);
    }
    if (!dtypes.includes(entry.dtype) || !isSafetensorsDtype(entry.dtype)) {
      throw packedDtype(file.path, stored, entry.dtype, dtypes);
    }
    return file.weightSource(stored) as FileWeight;
  };
  const { file, stored } = found.get(parts.size.name)!;
  source(parts.size);
  const size = [...(await file.read(stored))];
  if (!sameShape(size, shape)) throw packedShape(file.path, stored, shape, size);
  const { bits, groupSize } = packing;
  const codes = source(parts.codes);
  return {
    kind: 'packed',
    dtype: 'float32',
    shape,
    bits,
    groupSize,
    codes: { ...codes, dtype: 'uint8', shape: [shape[0]!, 4 * codes.shape[1]!] },
    scales: source(parts.scales),
    ...(parts.zeroPoints ? { zeroPoints: source(parts.zeroPoints) } : {}),
  };
}
