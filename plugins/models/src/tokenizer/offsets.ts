// Token positions: the tokenizers library counts code points, JavaScript strings count UTF-16
// units.
import type { Encoding } from '@lmflow/sdk';
import type { RawEncoding } from './tokenizer-process.ts';

/** Ids and offsets of `text`, in UTF-16 units. */
export function toEncoding(text: string, { ids, offsets }: RawEncoding): Encoding {
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
