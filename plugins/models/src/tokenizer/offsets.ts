// Token positions: the tokenizers library counts code points, JavaScript strings count UTF-16
// units.
import type { Encoding } from '@lmflow/sdk';

/** What the library gives of one text. */
export interface RawEncoding {
  getIds(): number[];
  /** Start and end of each token, in code points. */
  getOffsets(): number[][];
}

/** Ids and offsets of `text`, in UTF-16 units. */
export function toEncoding(text: string, raw: RawEncoding): Encoding {
  const ids = Int32Array.from(raw.getIds());
  const pairs = raw.getOffsets();
  const offsets = new Int32Array(pairs.length * 2);
  for (let token = 0; token < pairs.length; token++) {
    offsets[2 * token] = pairs[token]![0]!;
    offsets[2 * token + 1] = pairs[token]![1]!;
  }
  return { ids, offsets: inUnits(text, offsets) };
}

/** Turns positions in code points into positions in UTF-16 units, in place. */
export function inUnits(text: string, positions: Int32Array): Int32Array {
  if (!/[\uD800-\uDBFF][\uDC00-\uDFFF]/.test(text)) return positions;
  const units = new Int32Array(text.length + 1);
  let points = 0;
  for (let unit = 0; unit < text.length; points++) {
    units[points] = unit;
    unit += text.codePointAt(unit)! > 0xffff ? 2 : 1;
  }
  units[points] = text.length;
  for (let index = 0; index < positions.length; index++) {
    positions[index] = units[positions[index]!]!;
  }
  return positions;
}
