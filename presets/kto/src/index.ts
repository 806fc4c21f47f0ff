// Everything that learning from answers that are judged alone needs, with a LoRA adapter.
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
import scoring from '@lmflow/plugin-scoring';
import finetune from '@lmflow/plugin-finetune';
import kto from '@lmflow/plugin-kto';

export default definePreset({
  name: '@lmflow/preset-kto',
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
    scoring,
    finetune,
    kto,
  ],
  config: { learningRate: 1e-5, lrSchedulerType: 'linear', numTrainEpochs: 1 },
});
