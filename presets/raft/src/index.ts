// Everything that learning from the best of a model's own answers needs, with a LoRA adapter.
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
import generate from '@lmflow/plugin-generate';
import rewards from '@lmflow/plugin-rewards';
import rollouts from '@lmflow/plugin-rollouts';
import raft from '@lmflow/plugin-raft';

export default definePreset({
  name: '@lmflow/preset-raft',
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
    generate,
    rewards,
    rollouts,
    raft,
  ],
  config: { learningRate: 2e-4, lrSchedulerType: 'linear', numTrainEpochs: 2 },
});
