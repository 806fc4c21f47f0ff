// Copies a file's tensors into parameters. Which file it is, is the caller's.
import type { TensorFile } from '../formats/index.ts';
import { parametersMismatch } from './errors.ts';
import type { Parameter } from './parameter.ts';
import { storeParameter } from './parameter-storage.ts';

/**
 * Copies the tensors of a file into parameters of the same names. Throws LMFLOW_PARAMETERS_MISMATCH
 * where one is missing, has another shape, or belongs to no parameter; `file` is for the message.
 */
export async function assignParameters(
  parameters: Iterable<Parameter>,
  tensors: TensorFile,
  file: string,
): Promise<void> {
  const left = new Set(tensors.keys());
  for (const parameter of parameters) {
    const { name, shape } = parameter;
    const tensor = tensors.get(name);
    if (!tensor) throw parametersMismatch(file, `the tensor ${name} is missing`);
    if (tensor.shape.join() !== shape.join()) {
      const [found, wanted] = [tensor.shape.join(', '), shape.join(', ')];
      throw parametersMismatch(file, `${name} is [${found}], the model needs [${wanted}]`);
    }
    await storeParameter(parameter, tensor.data);
    left.delete(name);
  }
  const [extra] = left;
  if (extra !== undefined) {
    throw parametersMismatch(file, `the tensor ${extra} has no place in it`);
  }
}
