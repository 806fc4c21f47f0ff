// Everything that training a reward model and scoring answers with it needs.
import { definePreset } from '@lmflow/sdk';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import chatTemplates from '@lmflow/plugin-chat-templates';
import hub from '@lmflow/plugin-hub';
import models from '@lmflow/plugin-models';
import flashAttention from '@lmflow/plugin-flash-attention';
import datasets from '@lmflow/plugin-datasets';
import optimizers from '@lmflow/plugin-optimizers';
import trainer from '@lmflow/plugin-trainer';
import gradientCheckpointing from '@lmflow/plugin-gradient-checkpointing';
import finetune from '@lmflow/plugin-finetune';
import rewardModel from '@lmflow/plugin-reward-model';
import rewards from '@lmflow/plugin-rewards';
import scoring from '@lmflow/plugin-scoring';

export default definePreset({
  name: '@lmflow/preset-reward-model',
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
    finetune,
    scoring,
    rewards,
    rewardModel,
  ],
  config: {
    learningRate: 1e-5,
    lrSchedulerType: 'cosine',
    warmupSteps: 0.03,
    numTrainEpochs: 1,
    truncation: 'drop',
  },
});
