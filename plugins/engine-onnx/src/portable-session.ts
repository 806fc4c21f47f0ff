// Runs an ONNX file as another program would: ONNX Runtime and the file, nothing of this engine. With
// it an export is tried before it is called done.
import { token, type Token } from '@lmflow/sdk';
import { loadRuntime, type RuntimeTensor } from './runtime.ts';

/** A tensor that goes in: its numbers, row by row, and its shape. */
export interface PortableInput {
  readonly dtype: 'int64' | 'float32';
  readonly shape: readonly number[];
  readonly data: readonly number[] | Float32Array;
}

/** A loaded ONNX file. */
export interface PortableSession {
  /** The inputs by name; a free size is a name. */
  readonly inputs: ReadonlyMap<string, readonly (number | string)[]>;
  /** Runs it; outputs by name, which are float32. Throws the runtime's error. */
  run(
    inputs: ReadonlyMap<string, PortableInput>,
  ): Promise<
    ReadonlyMap<string, { readonly shape: readonly number[]; readonly data: Float32Array }>
  >;
  /** Frees what the runtime holds. */
  dispose(): Promise<void>;
}

/** Loads an ONNX file by its path, on the CPU; throws the runtime's error. */
export type PortableSessionOpener = (path: string) => Promise<PortableSession>;

/** Opens ONNX files, with the files of weights beside them. */
export const PORTABLE_SESSION: Token<PortableSessionOpener> = token(
  '@lmflow/plugin-engine-onnx:portable-session',
  '@lmflow/plugin-engine-onnx',
);

/** The PortableSessionOpener of this engine. Throws LMFLOW_ENGINE_RUNTIME_MISSING. */
export async function openPortable(path: string): Promise<PortableSession> {
  const { InferenceSession, Tensor } = await loadRuntime();
  const session = await InferenceSession.create(path, { logSeverityLevel: 4 });
  const tensorOf = ({ dtype, shape, data }: PortableInput): RuntimeTensor =>
    dtype === 'int64'
      ? new Tensor('int64', BigInt64Array.from(data, BigInt), shape)
      : new Tensor('float32', Float32Array.from(data), shape);
  return {
    inputs: new Map(
      session.inputMetadata.map((meta) => [meta.name, meta.isTensor ? meta.shape : []]),
    ),
    run: async (inputs) => {
      const feeds = [...inputs].map(([name, input]) => [name, tensorOf(input)] as const);
      const outputs = await session.run(Object.fromEntries(feeds));
      return new Map(
        Object.entries(outputs).map(([name, { dims, data }]) => [
          name,
          { shape: dims, data: data as Float32Array },
        ]),
      );
    },
    dispose: () => session.release(),
  };
}
