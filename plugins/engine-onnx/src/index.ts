// @lmflow/plugin-engine-onnx: the default compute engine. Provides ENGINE; takes lowerings of other
// plugins' ops through LOWERINGS.
import { definePlugin, ENGINES } from '@lmflow/sdk';
import { OnnxEngine } from './engine.ts';
import { createLowerings } from './lowerings/index.ts';
import { LOWERINGS } from './lowerings/lowering.ts';
import { schema } from './options.ts';
import manifest from '../package.json' with { type: 'json' };

export {
  LOWERINGS,
  registerLowering,
  type Lowering,
  type Lowerings,
} from './lowerings/lowering.ts';
export { product } from './lowerings/matmul.ts';
export {
  portableModel,
  type ExternalPlace,
  type PortableModel,
  type PortableRequest,
  type PortableTensor,
} from './portable.ts';
export type { FreeSize } from './onnx/free.ts';
export type { Body, BodyTensor, Emitter, NodeOptions } from './onnx/emitter.ts';
export type { AttributeValue } from './onnx/attributes.ts';
export type { EngineOptions, EngineOptionsInput } from './options.ts';

/** The plugin; `engineOnnx({ threads: 8 })`. It provides ENGINE and LOWERINGS. */
export default definePlugin({
  name: '@lmflow/plugin-engine-onnx',
  version: manifest.version,
  sdk: '^1.0.0',
  options: { section: 'engineOnnx', schema },
  apply(context) {
    context.provide(LOWERINGS, () => createLowerings());
    context.contribute(ENGINES, {
      name: 'onnx',
      create: () =>
        new OnnxEngine({
          options: context.options,
          device: context.config.device ?? 'cpu',
          lowerings: context.resolve(LOWERINGS),
          log: context.log,
        }),
    });
  },
});
