// Decodes a block of each tensor type, from the format's description and apart from the encoders:
// what was written is checked with it.
import { fromFloat16 } from '@lmflow/sdk/formats';

export type Decoder = (block: Uint8Array) => readonly number[];

const half = (bytes: Uint8Array, place: number): number =>
  fromFloat16(Uint16Array.of(bytes[place]! | (bytes[place + 1]! << 8)))[0]!;
const signed = (byte: number): number => (byte << 24) >> 24;

export const decodeF32: Decoder = (block) => [
  new DataView(block.buffer, block.byteOffset).getFloat32(0, true),
];

export const decodeF16: Decoder = (block) => [half(block, 0)];

export const decodeQ80: Decoder = (block) =>
  [...block.subarray(2)].map((byte) => signed(byte) * half(block, 0));

export const decodeQ40: Decoder = (block) => {
  const d = half(block, 0);
  const codes = [...block.subarray(2)];
  return [...codes.map((code) => code & 15), ...codes.map((code) => code >> 4)].map(
    (q) => (q - 8) * d,
  );
};

export const decodeQ4K: Decoder = (block) => {
  const [d, dmin, packed, codes] = [
    half(block, 0),
    half(block, 2),
    block.subarray(4, 16),
    block.subarray(16),
  ];
  return Array.from({ length: 256 }, (_, index) => {
    const part = index >> 5;
    const [scale, offset] =
      part < 4
        ? [packed[part]! & 63, packed[part + 4]! & 63]
        : [
            (packed[part + 4]! & 15) | ((packed[part - 4]! >> 6) << 4),
            (packed[part + 4]! >> 4) | ((packed[part]! >> 6) << 4),
          ];
    const code = codes[(index >> 6) * 32 + (index & 31)]!;
    return d * scale * (part % 2 === 0 ? code & 15 : code >> 4) - dmin * offset;
  });
};

export const decodeQ6K: Decoder = (block) => {
  const d = half(block, 208);
  return Array.from({ length: 256 }, (_, index) => {
    const [part, place] = [index >> 7, index & 127];
    const [quarter, lane] = [place >> 5, place & 31];
    const low = block[part * 64 + (quarter % 2) * 32 + lane]!;
    const high = (block[128 + part * 32 + lane]! >> (2 * quarter)) & 3;
    return (
      d *
      signed(block[192 + (index >> 4)]!) *
      (((quarter < 2 ? low & 15 : low >> 4) | (high << 4)) - 32)
    );
  });
};
