// @lmflow/plugin-engine-onnx: the default compute engine, a row of ENGINES. It lowers the ops of
// other plugins by their rows of LOWERINGS.
import { definePlugin, ENGINES, LOWERINGS } from '@lmflow/sdk';
import { OnnxEngine } from './engine.ts';
import { createLowerings, ENGINE_NAME } from './lowerings/index.ts';
import type { Lowerings } from './lowerings/lowering.ts';
import { schema } from './options.ts';
import { PORTABLE_MODEL, portableModel } from './portable-model.ts';
import manifest from '../package.json' with { type: 'json' };

export type { Lowering } from './lowerings/lowering.ts';
export {
  PORTABLE_MODEL,
  type ExternalPlace,
  type PortableModel,
  type PortableModelMaker,
  type PortableRequest,
  type PortableTensor,
} from './portable-model.ts';
export type { FreeSize } from './onnx/dynamic-sizes.ts';
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
    const deviceOf = (): string => context.config.device ?? 'cpu';
    const lowerings = (): Lowerings => createLowerings(context.rows(LOWERINGS), deviceOf());
    context.contribute(ENGINES, {
      name: ENGINE_NAME,
      create: () =>
        new OnnxEngine({
          options: context.options,
          device: deviceOf(),
          lowerings: lowerings(),
          log: context.log,
        }),
    });
    context.provide(PORTABLE_MODEL, () => {
      const table = lowerings();
      return (graph, request) => portableModel(graph, request, table);
    });
  },
});
