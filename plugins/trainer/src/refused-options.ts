// Options of Hugging Face's TrainingArguments (5.x, and older ones still in use) and names of its
// schedules that are refused, each with the reason. The supported ones are in options.ts.
import type { Refusal } from '@lmflow/sdk';

const float32 = 'computing is float32; leave it out';
const oneDevice = 'training runs on one device';
const processes = 'training runs in one process';
const compiled = 'programs are always compiled by the engine';
const hub = 'nothing is uploaded; push the output folder with the hf command';
const loader = 'the training loop makes batches itself, without worker processes';
const evaluation = 'evaluation keeps sums only, never predictions';
const always = 'it is always on; leave it out';
const torch = 'it is a setting of PyTorch';

/** Refused keys and why (LMFLOW_OPTION_UNSUPPORTED). */
export const refusedOptions: Readonly<Record<string, Refusal>> = {
  bf16: { reason: float32, accepts: [false] },
  fp16: { reason: float32, accepts: [false] },
  bf16FullEval: { reason: float32, accepts: [false] },
  fp16FullEval: { reason: float32, accepts: [false] },
  tf32: { reason: float32, accepts: [false, null] },
  halfPrecisionBackend: float32,
  fp16OptLevel: float32,
  fp16Backend: float32,
  useCpu: 'choose with device: cpu',
  noCuda: 'choose with device: cpu',
  useMpsDevice: { reason: 'choose with device', accepts: [false] },
  optimTargetModules: {
    reason: 'optimizers that project gradients are not offered yet',
    accepts: [null],
  },
  labelSmoothingFactor: {
    reason: 'the loss is computed in chunks without smoothed labels',
    accepts: [0],
  },
  neftuneNoiseAlpha: { reason: 'noise on embeddings is not offered', accepts: [null, 0] },
  useLigerKernel: { reason: 'the engine has fused kernels already', accepts: [false] },
  ligerKernelConfig: { reason: 'the engine has fused kernels already', accepts: [null] },
  useCache: { reason: 'training keeps no cache of keys and values', accepts: [false] },
  pastIndex: { reason: 'training keeps no cache of keys and values', accepts: [-1] },
  gradientCheckpointingKwargs: {
    reason:
      'use_reentrant is a setting of PyTorch; gradientCheckpointing takes every and memoryBudget',
    accepts: [null],
  },
  torchCompile: { reason: compiled, accepts: [false] },
  torchCompileBackend: { reason: compiled, accepts: [null] },
  torchCompileMode: { reason: compiled, accepts: [null] },
  torchdynamo: { reason: compiled, accepts: [null] },
  jitModeEval: { reason: compiled, accepts: [false] },
  torchEmptyCacheSteps: { reason: torch, accepts: [null] },
  autoFindBatchSize: {
    reason:
      'the plan says before the first step whether a batch fits; choose perDeviceTrainBatchSize ' +
      'and gradientAccumulationSteps',
    accepts: [false],
  },
  averageTokensAcrossDevices: { reason: always, accepts: [true] },
  logLevel: 'use --verbose',
  logLevelReplica: processes,
  logOnEachNode: processes,
  disableTqdm: {
    reason: 'progress is plain lines where there is no terminal; --json gives events',
    accepts: [false],
  },
  loggingDir: 'figures go to trainer_log.jsonl in outputDir',
  loggingNanInfFilter: 'a loss that is not finite stops the run and keeps the last checkpoint',
  includeNumInputTokensSeen: { reason: always, accepts: [true] },
  includeTokensPerSecond: { reason: always, accepts: [true] },
  project: 'figures go to trainer_log.jsonl',
  trackioSpaceId: 'figures go to trainer_log.jsonl',
  trackioBucketId: 'figures go to trainer_log.jsonl',
  trackioStaticSpaceId: 'figures go to trainer_log.jsonl',
  predictionLossOnly: { reason: evaluation, accepts: [true] },
  evalDoConcatBatches: evaluation,
  evalUseGatherObject: { reason: evaluation, accepts: [false] },
  evalAccumulationSteps: { reason: evaluation, accepts: [null] },
  useLegacyPredictionLoop: { reason: evaluation, accepts: [false] },
  includeForMetrics: { reason: evaluation, accepts: [[]] },
  includeInputsForMetrics: { reason: evaluation, accepts: [false] },
  batchEvalMetrics: { reason: evaluation, accepts: [false] },
  saveSafetensors: { reason: 'files are always safetensors', accepts: [true] },
  saveOnEachNode: { reason: processes, accepts: [false] },
  enableJitCheckpoint: { reason: 'Ctrl-C and SIGTERM always save a checkpoint', accepts: [true] },
  pushToHub: { reason: hub, accepts: [false] },
  hubToken: { reason: hub, accepts: [null] },
  hubPrivateRepo: { reason: hub, accepts: [false, null] },
  hubModelId: { reason: hub, accepts: [null] },
  hubStrategy: hub,
  hubAlwaysPush: { reason: hub, accepts: [false] },
  hubRevision: { reason: hub, accepts: [null] },
  pushToHubModelId: { reason: hub, accepts: [null] },
  pushToHubOrganization: { reason: hub, accepts: [null] },
  pushToHubToken: { reason: hub, accepts: [null] },
  ignoreDataSkip: {
    reason: 'a resumed run continues with the exact sample without reading the ones before',
    accepts: [false],
  },
  restoreCallbackStatesFromCheckpoint: { reason: always, accepts: [true] },
  fullDeterminism: { reason: always, accepts: [true] },
  acceleratorConfig: { reason: processes, accepts: [null] },
  parallelismConfig: { reason: oneDevice, accepts: [null] },
  dataloaderNumWorkers: { reason: loader, accepts: [0] },
  dataloaderPinMemory: { reason: loader, accepts: [false] },
  dataloaderPersistentWorkers: { reason: loader, accepts: [false] },
  dataloaderPrefetchFactor: { reason: loader, accepts: [null] },
  dataloaderMultiprocessingContext: { reason: loader, accepts: [null] },
  dataloaderInOrder: { reason: loader, accepts: [true] },
  splitBatches: { reason: loader, accepts: [false, null] },
  dispatchBatches: { reason: loader, accepts: [false, null] },
  removeUnusedColumns: { reason: 'samples carry only what the objective uses', accepts: [true] },
  labelNames: { reason: 'the objective names its labels itself', accepts: [null] },
  lengthColumnName: 'lengths are counted in tokens',
  ddpFindUnusedParameters: { reason: processes, accepts: [false, null] },
  ddpBucketCapMb: { reason: processes, accepts: [null] },
  ddpBroadcastBuffers: { reason: processes, accepts: [false, null] },
  ddpStaticGraph: { reason: processes, accepts: [false, null] },
  ddpBackend: { reason: processes, accepts: [null] },
  ddpTimeout: processes,
  localRank: { reason: processes, accepts: [-1, 0] },
  fsdp: { reason: oneDevice, accepts: [false, null, '', []] },
  fsdpConfig: { reason: oneDevice, accepts: [null] },
  fsdpMinNumParams: { reason: oneDevice, accepts: [0] },
  fsdpTransformerLayerClsToWrap: { reason: oneDevice, accepts: [null] },
  deepspeed: { reason: oneDevice, accepts: [null] },
  tpuNumCores: { reason: oneDevice, accepts: [null] },
  tpuMetricsDebug: { reason: oneDevice, accepts: [false] },
  shardedDdp: { reason: oneDevice, accepts: [false, null, '', []] },
  mpParameters: { reason: oneDevice, accepts: [''] },
  xpuBackend: { reason: oneDevice, accepts: [null] },
  useIpex: { reason: torch, accepts: [false] },
  adafactor: { reason: 'choose the optimizer with optim', accepts: [false] },
  debug: { reason: 'use --verbose', accepts: ['', []] },
  skipMemoryMetrics: 'the plan estimates memory before the first step',
  doTrain: { reason: 'lmflow finetune trains', accepts: [true] },
  doEval: { reason: 'evaluation data is always evaluated', accepts: [true] },
  doPredict: { reason: 'there is no prediction loop in the trainer', accepts: [false] },
  rayScope: 'there is no hyperparameter search',
};

const fromTheStep =
  'the learning rate depends on the step alone, so that a resumed run computes the same';

/** Refused values of lrSchedulerType and why (LMFLOW_CONFIG_SCHEDULE). */
export const refusedSchedules: Readonly<Record<string, string>> = {
  reduce_lr_on_plateau: fromTheStep,
  greedy: fromTheStep,
  cosine_warmup_with_min_lr: 'use cosine_with_min_lr',
};
