// LoRA adapters on a base whose linears are kept in 4 bits.
import { definePreset } from '@lmflow/sdk';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import chatTemplates from '@lmflow/plugin-chat-templates';
import hub from '@lmflow/plugin-hub';
import models from '@lmflow/plugin-models';
import flashAttention from '@lmflow/plugin-flash-attention';
import datasets from '@lmflow/plugin-datasets';
import optimizers from '@lmflow/plugin-optimizers';
import trainer from '@lmflow/plugin-trainer';
import qlora from '@lmflow/plugin-qlora';
import lora from '@lmflow/plugin-lora';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import finetune from '@lmflow/plugin-finetune';

export default definePreset({
  name: '@lmflow/preset-qlora',
  plugins: [
    engineOnnx,
    chatTemplates,
    hub,
    models,
    flashAttention,
    datasets,
    optimizers,
    trainer,
    gradientCheckpointing,
    qlora,
    lora,
    finetune,
  ],
  config: { learningRate: 2e-4, lrSchedulerType: 'cosine', warmupSteps: 0.03 },
});
