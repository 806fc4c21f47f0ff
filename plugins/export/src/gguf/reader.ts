// Reads a GGUF file by position: the header at once, numbers of a tensor where they are asked for.
// Written from the format's description, apart from the writer (file.ts), which it checks. Only
// what file.ts writes: version 3, its types of metadata and of tensors.
import { closeSync, fstatSync, openSync, readSync } from 'node:fs';
import { TENSOR_TYPES, type TensorType } from './types.ts';

/** The header is read in pieces of this many bytes. */
const PIECE = 1 << 20;
const ALIGNMENT = 32;

export interface FoundTensor {
  /** Row-major, as the model's. */
  readonly shape: readonly number[];
  readonly type: TensorType;
  /** Of its data, from the start of the file. */
  readonly start: number;
  /** Bytes of its data. */
  readonly length: number;
}

/** An open GGUF file. */
export interface GgufFile {
  readonly metadata: ReadonlyMap<string, unknown>;
  readonly tensors: ReadonlyMap<string, FoundTensor>;
  /** Bytes of the file. */
  readonly size: number;
  /** `count` numbers of a tensor from the number `from`; both whole blocks. */
  numbers(tensor: FoundTensor, from: number, count: number): Float32Array;
  close(): void;
}

/** Opens the file and reads its structure. Throws an Error that says what is wrong with it. */
export function openGguf(path: string): GgufFile {
  const descriptor = openSync(path, 'r');
  try {
    const { size } = fstatSync(descriptor);
    const source = new Source(descriptor, size);
    const { metadata, tensors } = readHeader(source);
    return {
      metadata,
      tensors,
      size,
      numbers: ({ type, start }, from, count) => {
        const bytes = source.at(start + (from / type.block) * type.bytes, bytesOf(type, count));
        const numbers = new Float32Array(count);
        for (let block = 0; block < count / type.block; block++) {
          const place = block * type.bytes;
          numbers.set(type.decode(bytes.slice(place, place + type.bytes)), block * type.block);
        }
        return numbers;
      },
      close: () => closeSync(descriptor),
    };
  } catch (error) {
    closeSync(descriptor);
    throw error;
  }
}

const bytesOf = ({ block, bytes }: TensorType, count: number): number => (count / block) * bytes;

function readHeader(source: Source): Pick<GgufFile, 'metadata' | 'tensors'> {
  if (source.text(4) !== 'GGUF') throw new Error('it does not begin with GGUF');
  const version = source.uint32();
  if (version !== 3) throw new Error(`its version is ${version}`);
  const [tensorCount, keyCount] = [source.uint64(), source.uint64()];
  const metadata = new Map<string, unknown>();
  for (let index = 0; index < keyCount; index++) {
    metadata.set(source.string(), source.value(source.uint32()));
  }
  const described = Array.from({ length: tensorCount }, () => {
    const name = source.string();
    const shape = Array.from({ length: source.uint32() }, () => source.uint64()).reverse();
    return { name, shape, type: typeOf(name, source.uint32()), offset: source.uint64() };
  });
  const data = Math.ceil(source.place / ALIGNMENT) * ALIGNMENT;
  const tensors = new Map<string, FoundTensor>();
  for (const { name, shape, type, offset } of described) {
    if (offset % ALIGNMENT !== 0) throw new Error(`${name} is not aligned`);
    const length = bytesOf(
      type,
      shape.reduce((a, b) => a * b, 1),
    );
    const start = data + offset;
    if (start + length > source.size) throw new Error(`${name} ends after the file`);
    tensors.set(name, { shape, type, start, length });
  }
  return { metadata, tensors };
}

function typeOf(name: string, id: number): TensorType {
  const type = Object.values(TENSOR_TYPES).find((one) => one.id === id);
  if (!type) throw new Error(`${name} has the type ${id}`);
  return type;
}

/** Numbers and strings of a file, one after the other. */
class Source {
  place = 0;
  #piece = new DataView(new ArrayBuffer(0));
  #from = 0;
  readonly #descriptor: number;
  readonly size: number;

  constructor(descriptor: number, size: number) {
    this.#descriptor = descriptor;
    this.size = size;
  }

  /** Bytes of a place. */
  at(start: number, length: number): Uint8Array<ArrayBuffer> {
    if (length > this.size - start) throw new Error('it ends too early');
    const bytes = new Uint8Array(length);
    for (let done = 0; done < length;) {
      const count = readSync(this.#descriptor, bytes, done, length - done, start + done);
      if (count === 0) throw new Error('it ends too early');
      done += count;
    }
    return bytes;
  }

  uint32(): number {
    return this.#next(4, (piece, place) => piece.getUint32(place, true));
  }

  uint64(): number {
    return this.#next(8, (piece, place) => Number(piece.getBigUint64(place, true)));
  }

  text(length: number): string {
    return this.#next(length, ({ buffer }, place) =>
      new TextDecoder('utf-8', { fatal: true, ignoreBOM: true }).decode(
        new Uint8Array(buffer, place, length),
      ),
    );
  }

  string(): string {
    return this.text(this.uint64());
  }

  /** A value of a type of metadata. */
  value(type: number): unknown {
    if (type === 4) return this.uint32();
    if (type === 5) return this.#next(4, (piece, place) => piece.getInt32(place, true));
    if (type === 6) return this.#next(4, (piece, place) => piece.getFloat32(place, true));
    if (type === 7) return this.#next(1, (piece, place) => piece.getUint8(place) === 1);
    if (type === 8) return this.string();
    if (type !== 9) throw new Error(`it has metadata of the type ${type}`);
    const of = this.uint32();
    const count = this.uint64();
    const values: unknown[] = [];
    while (values.length < count) values.push(this.value(of));
    return values;
  }

  #next<T>(length: number, read: (piece: DataView<ArrayBuffer>, place: number) => T): T {
    if (this.place + length > this.#from + this.#piece.byteLength) {
      this.#from = this.place;
      const { buffer } = this.at(
        this.place,
        Math.max(length, Math.min(PIECE, this.size - this.place)),
      );
      this.#piece = new DataView(buffer);
    }
    const value = read(this.#piece, this.place - this.#from);
    this.place += length;
    return value;
  }
}
