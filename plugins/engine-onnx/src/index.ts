// @lmflow/plugin-engine-onnx: the default compute engine, a row of ENGINES. It lowers the ops of
// other plugins by their rows of LOWERINGS.
import { join } from 'node:path';
import { definePlugin, ENGINES, LOWERINGS } from '@lmflow/sdk';
import { checkedEngine } from '@lmflow/sdk/device-check';
import { cacheFolder } from '@lmflow/sdk/files';
import { OnnxEngine } from './engine.ts';
import { createLowerings, ENGINE_NAME } from './lowerings/index.ts';
import type { Lowerings } from './lowerings/lowering.ts';
import { schema } from './options.ts';
import { PORTABLE_MODEL, portableModel } from './portable-model.ts';
import { openPortable, PORTABLE_SESSION } from './portable-session.ts';
import { loadRuntime } from './runtime.ts';
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
export {
  PORTABLE_SESSION,
  type PortableInput,
  type PortableSession,
  type PortableSessionOpener,
} from './portable-session.ts';
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
    const lowerings = (device: string): Lowerings =>
      createLowerings(context.rows(LOWERINGS), device);
    const engineOn = (device: string): OnnxEngine =>
      new OnnxEngine({
        options: context.options,
        device,
        lowerings: lowerings(device),
        log: context.log,
      });
    context.contribute(ENGINES, {
      name: ENGINE_NAME,
      create: () => {
        const engine = engineOn(deviceOf());
        if (engine.device === 'cpu' || context.config.deviceCheck === false) return engine;
        const { cacheDir = cacheFolder('engine-onnx') } = context.options;
        return checkedEngine({
          engine,
          reference: () => engineOn('cpu'),
          folder: join(cacheDir, 'device-checks'),
          versions: async () => [
            manifest.version,
            ...Object.values((await loadRuntime()).env.versions),
            ...[...context.rows(LOWERINGS)].map(({ name, lower }) => `${name} ${String(lower)}`),
          ],
          log: context.log,
        });
      },
    });
    context.provide(PORTABLE_SESSION, () => openPortable);
    context.provide(PORTABLE_MODEL, () => {
      const table = lowerings('cpu'); // the same model, whatever computes here
      return (graph, request) => portableModel(graph, request, table);
    });
  },
});
