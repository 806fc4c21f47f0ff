// A pipeline, and what its stages need: finetuning, reward models, generation, scoring, evaluation.
// Methods that have presets of their own (lora, dpo) are named by the stages that use them.
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
import generate from '@lmflow/plugin-generate';
import scoring from '@lmflow/plugin-scoring';
import evaluate from '@lmflow/plugin-evaluate';
import rewards from '@lmflow/plugin-rewards';
import rewardModel from '@lmflow/plugin-reward-model';
import pipeline from '@lmflow/plugin-pipeline';

export default definePreset({
  name: '@lmflow/preset-workflow',
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
    generate,
    scoring,
    evaluate,
    rewards,
    rewardModel,
    pipeline,
  ],
  config: { learningRate: 2e-5, lrSchedulerType: 'cosine', warmupSteps: 0.03 },
});
