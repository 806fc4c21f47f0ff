// Options of other tools (LLaMA-Factory, Axolotl, Unsloth, TRL, the original LMFlow) that have no
// counterpart here. Options that mean one of our keys are aliases in the plugin that has the key.

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
export const otherTools: Readonly<Record<string, string>> = {
  stage:
    'leave it out: lmflow finetune takes plain text, conversations and instructions, as the records are',
  finetuningType: method,
  usePeft: method,
  useLora: method,
  adapter: `${method}; to continue from an adapter, set lora.adapter`,
  useQlora: fourBits,
  loadIn4bit: fourBits,
  quantizationBit: fourBits,
  quantizationMethod: fourBits,
  quantizationType: fourBits,
  bnb4bitQuantType: fourBits,
  bnb4bitUseDoubleQuant: fourBits,
  doubleQuantization: fourBits,
  bnb4bitComputeDtype: 'products are computed in float32',
  bnb4bitQuantStorage: 'codes are stored as bytes',
  loadIn8bit: 'load the plugin int8-compute: --plugin int8-compute',
  useLisa: lisa,
  lisaActivatedLayers: lisa,
  lisaIntervalSteps: lisa,
  flashAttn: attention,
  useFlashAttention: attention,
  attnImplementation: attention,
  sdpAttention: attention,
  xformersAttention: attention,
  ropeScaling: rope,
  useUnsloth: 'it is for PyTorch; the engine here already has fused kernels',
  enableLigerKernel: 'the engine already has fused kernels',
  useGalore: projected,
  useApollo: projected,
  useBadam: projected,
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
  pissaInit: 'lora.initLoraWeights is true, false or gaussian',
  resizeVocab: vocabulary,
  newSpecialTokens: vocabulary,
  plotLoss: figures,
  wandbProject: figures,
  useWandb: figures,
};
