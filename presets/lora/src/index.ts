// Everything that finetuning with LoRA adapters needs.
import { definePreset } from '@lmflow/sdk';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import chatTemplates from '@lmflow/plugin-chat-templates';
import hub from '@lmflow/plugin-hub';
import models from '@lmflow/plugin-models';
import flashAttention from '@lmflow/plugin-flash-attention';
import datasets from '@lmflow/plugin-datasets';
import optimizers from '@lmflow/plugin-optimizers';
import trainer from '@lmflow/plugin-trainer';
import lora from '@lmflow/plugin-lora';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import finetune from '@lmflow/plugin-finetune';

export default definePreset({
  name: '@lmflow/preset-lora',
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
    lora,
    finetune,
  ],
  config: { learningRate: 2e-4, lrSchedulerType: 'cosine', warmupSteps: 0.03 },
});
