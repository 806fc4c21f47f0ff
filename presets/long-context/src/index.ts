// What long sequences need: attention in linear memory, stretched positions, checkpointing and
// packing. Beside preset lora it trains adapters, alone all weights.
import { definePreset } from '@lmflow/sdk';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import chatTemplates from '@lmflow/plugin-chat-templates';
import hub from '@lmflow/plugin-hub';
import models from '@lmflow/plugin-models';
import datasets from '@lmflow/plugin-datasets';
import optimizers from '@lmflow/plugin-optimizers';
import trainer from '@lmflow/plugin-trainer';
import positionInterpolation from '@lmflow/plugin-position-interpolation';
import flashAttention from '@lmflow/plugin-flash-attention';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import finetune from '@lmflow/plugin-finetune';

export default definePreset({
  name: '@lmflow/preset-long-context',
  plugins: [
    engineOnnx,
    chatTemplates,
    hub,
    models,
    datasets,
    optimizers,
    trainer,
    gradientCheckpointing,
    positionInterpolation,
    flashAttention,
    finetune,
  ],
  config: {
    gradientCheckpointing: true,
    packing: true,
    positionInterpolation: { type: 'linear', factor: 4 },
  },
});
