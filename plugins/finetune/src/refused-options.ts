// Options of other tools (LLaMA-Factory, Axolotl, Unsloth, TRL, the original LMFlow) that have no
// counterpart here. Options that mean one of our keys are aliases in the plugin that has the key.
import type { Refusal } from '@lmflow/sdk';

const method =
  'the method is a preset: --preset lora, --preset qlora; all weights are trained with --preset finetune';
const fourBits =
  'the preset qlora, and nothing else, trains on 4 bits (section qlora: quantType, doubleQuant)';
const lisa = 'load the plugin lisa: --plugin lisa (section lisa: layers, interval)';
const attention =
  'attention is computed in tiles wherever the plugin flash-attention is loaded, as the presets do';
const rope =
  'use the preset long-context, or the plugin position-interpolation (section positionInterpolation: type, factor)';
const template = 'set chatTemplate: a name, a .jinja file or the template itself';
const figures = 'figures go to trainer_log.jsonl in outputDir, and to plugins that tap onMetrics';
const vocabulary = 'the vocabulary stays that of the checkpoint: extending it is not offered yet';
const projected = 'it is not offered; the plugin lisa and the preset qlora save memory too';

/** Refused keys and why (LMFLOW_OPTION_UNSUPPORTED). */
export const otherTools: Readonly<Record<string, Refusal>> = {
  stage:
    'leave it out: lmflow finetune takes plain text, conversations and instructions, as the records are',
  finetuningType: method,
  usePeft: { reason: method, accepts: [false], unless: ['lora', 'ia3', 'vera'] },
  useLora: { reason: method, accepts: [false], unless: ['lora', 'ia3', 'vera'] },
  adapter: `${method}; to continue from an adapter, set lora.adapter`,
  useQlora: { reason: fourBits, accepts: [false], unless: ['qlora', 'quantize'] },
  loadIn4bit: { reason: fourBits, accepts: [false], unless: ['qlora', 'quantize'] },
  quantizationBit: { reason: fourBits, accepts: [null], unless: ['qlora', 'quantize'] },
  quantizationMethod: fourBits,
  quantizationType: fourBits,
  bnb4bitQuantType: fourBits,
  bnb4bitUseDoubleQuant: fourBits,
  doubleQuantization: fourBits,
  bnb4bitComputeDtype: { reason: 'products are computed in float32', accepts: ['float32'] },
  bnb4bitQuantStorage: 'codes are stored as bytes',
  loadIn8bit: {
    reason: 'load the plugin int8-compute: --plugin int8-compute',
    accepts: [false],
    unless: ['int8Compute', 'quantize'],
  },
  useLisa: { reason: lisa, accepts: [false], unless: ['lisa'] },
  lisaActivatedLayers: lisa,
  lisaIntervalSteps: lisa,
  flashAttn: attention,
  useFlashAttention: attention,
  attnImplementation: attention,
  sdpAttention: { reason: attention, accepts: [false] },
  xformersAttention: { reason: attention, accepts: [false] },
  ropeScaling: { reason: rope, accepts: [null], unless: ['positionInterpolation'] },
  useUnsloth: {
    reason: 'it is for PyTorch; the engine here already has fused kernels',
    accepts: [false],
  },
  enableLigerKernel: { reason: 'the engine already has fused kernels', accepts: [false] },
  useGalore: { reason: projected, accepts: [false] },
  useApollo: { reason: projected, accepts: [false] },
  useBadam: { reason: projected, accepts: [false] },
  template,
  conversationTemplate: template,
  datasetDir: 'set dataset to a path',
  datasetName: 'set dataset to a path or a Hugging Face id',
  trainFile: 'set dataset',
  validationFile: 'set evalDataset',
  datasetConfig: 'set dataset: { path, subset }',
  datasetTrainSplit: 'set dataset: { path, split }',
  datasetTestSplit: 'set evalDataset: { path, split }',
  additionalTarget: 'set lora.modulesToSave',
  loraTargetLinear: 'set lora.targetModules: all-linear, which is the default',
  loraModelDir: 'set lora.adapter',
  pissaInit: 'set lora.initLoraWeights: pissa',
  resizeVocab: { reason: vocabulary, accepts: [false] },
  newSpecialTokens: { reason: vocabulary, accepts: [null, []] },
  plotLoss: { reason: figures, accepts: [false] },
  wandbProject: { reason: figures, accepts: [null] },
  useWandb: { reason: figures, accepts: [false] },
};
