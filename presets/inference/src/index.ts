// What one does with a model: generate text, serve it, merge its adapter, export it.
import { definePreset, forInference } from '@lmflow/sdk';
import datasets from '@lmflow/plugin-datasets';
import engineOnnx from '@lmflow/plugin-engine-onnx';
import chatTemplates from '@lmflow/plugin-chat-templates';
import hub from '@lmflow/plugin-hub';
import defaultModel from '@lmflow/plugin-default-model';
import models from '@lmflow/plugin-models';
import lora from '@lmflow/plugin-lora';
import scoring from '@lmflow/plugin-scoring';
import quantize from '@lmflow/plugin-quantize';
import generate from '@lmflow/plugin-generate';
import serve from '@lmflow/plugin-serve';
import evaluate from '@lmflow/plugin-evaluate';
import exportModel from '@lmflow/plugin-export';

export default definePreset({
  name: '@lmflow/preset-inference',
  plugins: [
    engineOnnx,
    chatTemplates,
    hub,
    models,
    defaultModel,
    datasets,
    scoring,
    quantize,
    forInference(lora),
    generate,
    evaluate,
    serve,
    exportModel,
  ],
});
