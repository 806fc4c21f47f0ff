// A GGUF file read back, for tests: written from the format's description, apart from the writer.
// Tensors as float32.
import { fromFloat16 } from '@lmflow/sdk/formats';

export interface ReadTensor {
  readonly name: string;
  readonly shape: readonly number[];
  readonly type: string;
  readonly data: Float32Array;
}
export interface ReadGguf {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, ReadTensor>;
}

const half = (bytes: Uint8Array, place: number): number =>
  fromFloat16(Uint16Array.of(bytes[place]! | (bytes[place + 1]! << 8)))[0]!;
const signed = (byte: number): number => (byte << 24) >> 24;

type Decoder = (block: Uint8Array) => number[];

const q80: Decoder = (block) => [...block.subarray(2)].map((byte) => signed(byte) * half(block, 0));

const q40: Decoder = (block) => {
  const d = half(block, 0);
  const codes = [...block.subarray(2)];
  return [...codes.map((code) => code & 15), ...codes.map((code) => code >> 4)].map(
    (q) => (q - 8) * d,
  );
};

const q4k: Decoder = (block) => {
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

const q6k: Decoder = (block) => {
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

const TYPES: Readonly<
  Record<
    number,
    {
      readonly name: string;
      readonly block: number;
      readonly bytes: number;
      readonly decode: Decoder;
    }
  >
> = {
  0: {
    name: 'F32',
    block: 1,
    bytes: 4,
    decode: (b) => [new DataView(b.buffer, b.byteOffset).getFloat32(0, true)],
  },
  1: { name: 'F16', block: 1, bytes: 2, decode: (b) => [half(b, 0)] },
  2: { name: 'Q4_0', block: 32, bytes: 18, decode: q40 },
  8: { name: 'Q8_0', block: 32, bytes: 34, decode: q80 },
  12: { name: 'Q4_K', block: 256, bytes: 144, decode: q4k },
  14: { name: 'Q6_K', block: 256, bytes: 210, decode: q6k },
};

/** Numbers of a tensor's bytes. */
export function decode(typeName: string, bytes: Uint8Array): Float32Array {
  const type = Object.values(TYPES).find(({ name }) => name === typeName)!;
  return Float32Array.from(
    Array.from({ length: bytes.length / type.bytes }, (_, block) =>
      type.decode(bytes.slice(block * type.bytes, (block + 1) * type.bytes)),
    ).flat(),
  );
}

/** The whole file. */
export function readGguf(bytes: Uint8Array): ReadGguf {
  const view = new DataView(bytes.buffer, bytes.byteOffset, bytes.byteLength);
  let place = 0;
  const u32 = (): number => {
    place += 4;
    return view.getUint32(place - 4, true);
  };
  const u64 = (): number => {
    place += 8;
    return Number(view.getBigUint64(place - 8, true));
  };
  const string = (): string => {
    const length = u64();
    place += length;
    return new TextDecoder().decode(bytes.subarray(place - length, place));
  };
  const value = (type: number): unknown => {
    if (type === 4) return u32();
    if (type === 5) {
      place += 4;
      return view.getInt32(place - 4, true);
    }
    if (type === 6) {
      place += 4;
      return view.getFloat32(place - 4, true);
    }
    if (type === 7) {
      place += 1;
      return bytes[place - 1] === 1;
    }
    if (type === 8) return string();
    if (type !== 9) throw new Error(`metadata type ${type}`);
    const of = u32();
    return Array.from({ length: u64() }, () => value(of));
  };
  if (new TextDecoder().decode(bytes.subarray(0, 4)) !== 'GGUF') throw new Error('magic');
  place = 4;
  if (u32() !== 3) throw new Error('version');
  const [tensorCount, keyCount] = [u64(), u64()];
  const metadata = new Map(
    Array.from({ length: keyCount }, () => {
      const key = string();
      return [key, value(u32())] as const;
    }),
  );
  const infos = Array.from({ length: tensorCount }, () => {
    const name = string();
    const shape = Array.from({ length: u32() }, () => u64()).reverse();
    return { name, shape, type: TYPES[u32()]!, offset: u64() };
  });
  const start = Math.ceil(place / 32) * 32;
  const tensors = new Map(
    infos.map(({ name, shape, type, offset }) => {
      if (offset % 32 !== 0) throw new Error(`${name} is not aligned`);
      const length = (shape.reduce((a, b) => a * b, 1) / type.block) * type.bytes;
      if (start + offset + length > bytes.length) throw new Error(`${name} ends after the file`);
      return [
        name,
        {
          name,
          shape,
          type: type.name,
          data: decode(type.name, bytes.subarray(start + offset, start + offset + length)),
        },
      ] as const;
    }),
  );
  return { metadata, tensors };
}

const LLAMA = {
  q_proj: 'attn_q',
  k_proj: 'attn_k',
  v_proj: 'attn_v',
  o_proj: 'attn_output',
  gate_proj: 'ffn_gate',
  up_proj: 'ffn_up',
  down_proj: 'ffn_down',
  input_layernorm: 'attn_norm',
  post_attention_layernorm: 'ffn_norm',
  q_norm: 'attn_q_norm',
  k_norm: 'attn_k_norm',
  embed_tokens: 'token_embd',
  norm: 'output_norm',
  lm_head: 'output',
} as const;

/** llama.cpp's name of a tensor of llama and its relatives. */
export function llamaName(name: string): string {
  const parts = name.split('.');
  const layer = parts[1] === 'layers' ? `blk.${parts[2]!}.` : '';
  return `${layer}${LLAMA[parts.at(-2) as keyof typeof LLAMA]}.${parts.at(-1)!}`;
}
