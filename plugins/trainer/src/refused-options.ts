// Options of Hugging Face's TrainingArguments (5.x, and older ones still in use) and names of its
// schedules that are refused, each with the reason. The supported ones are in options.ts.

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
export const refusedOptions: Readonly<Record<string, string>> = {
  bf16: float32,
  fp16: float32,
  bf16FullEval: float32,
  fp16FullEval: float32,
  tf32: float32,
  halfPrecisionBackend: float32,
  fp16OptLevel: float32,
  fp16Backend: float32,
  useCpu: 'choose with device: cpu',
  noCuda: 'choose with device: cpu',
  useMpsDevice: 'choose with device',
  optimTargetModules: 'optimizers that project gradients are not offered yet',
  labelSmoothingFactor: 'the loss is computed in chunks without smoothed labels',
  neftuneNoiseAlpha: 'noise on embeddings is not offered',
  useLigerKernel: 'the engine has fused kernels already',
  ligerKernelConfig: 'the engine has fused kernels already',
  useCache: 'training keeps no cache of keys and values',
  pastIndex: 'training keeps no cache of keys and values',
  gradientCheckpointingKwargs:
    'use_reentrant is a setting of PyTorch; gradientCheckpointing takes every and memoryBudget',
  torchCompile: compiled,
  torchCompileBackend: compiled,
  torchCompileMode: compiled,
  torchdynamo: compiled,
  jitModeEval: compiled,
  torchEmptyCacheSteps: torch,
  autoFindBatchSize:
    'the plan says before the first step whether a batch fits; choose perDeviceTrainBatchSize ' +
    'and gradientAccumulationSteps',
  averageTokensAcrossDevices: always,
  logLevel: 'use --verbose',
  logLevelReplica: processes,
  logOnEachNode: processes,
  disableTqdm: 'progress is plain lines where there is no terminal; --json gives events',
  loggingDir: 'figures go to trainer_log.jsonl in outputDir',
  loggingNanInfFilter: 'a loss that is not finite stops the run and keeps the last checkpoint',
  includeNumInputTokensSeen: always,
  includeTokensPerSecond: always,
  project: 'figures go to trainer_log.jsonl',
  trackioSpaceId: 'figures go to trainer_log.jsonl',
  trackioBucketId: 'figures go to trainer_log.jsonl',
  trackioStaticSpaceId: 'figures go to trainer_log.jsonl',
  predictionLossOnly: evaluation,
  evalDoConcatBatches: evaluation,
  evalUseGatherObject: evaluation,
  evalAccumulationSteps: evaluation,
  useLegacyPredictionLoop: evaluation,
  includeForMetrics: evaluation,
  includeInputsForMetrics: evaluation,
  batchEvalMetrics: evaluation,
  saveSafetensors: 'files are always safetensors',
  saveOnEachNode: processes,
  enableJitCheckpoint: 'Ctrl-C and SIGTERM always save a checkpoint',
  pushToHub: hub,
  hubToken: hub,
  hubPrivateRepo: hub,
  hubModelId: hub,
  hubStrategy: hub,
  hubAlwaysPush: hub,
  hubRevision: hub,
  pushToHubModelId: hub,
  pushToHubOrganization: hub,
  pushToHubToken: hub,
  ignoreDataSkip: 'a resumed run continues with the exact sample without reading the ones before',
  restoreCallbackStatesFromCheckpoint: always,
  fullDeterminism: always,
  acceleratorConfig: processes,
  parallelismConfig: oneDevice,
  dataloaderNumWorkers: loader,
  dataloaderPinMemory: loader,
  dataloaderPersistentWorkers: loader,
  dataloaderPrefetchFactor: loader,
  dataloaderMultiprocessingContext: loader,
  dataloaderInOrder: loader,
  splitBatches: loader,
  dispatchBatches: loader,
  removeUnusedColumns: 'samples carry only what the objective uses',
  labelNames: 'the objective names its labels itself',
  lengthColumnName: 'lengths are counted in tokens',
  ddpFindUnusedParameters: processes,
  ddpBucketCapMb: processes,
  ddpBroadcastBuffers: processes,
  ddpStaticGraph: processes,
  ddpBackend: processes,
  ddpTimeout: processes,
  localRank: processes,
  fsdp: oneDevice,
  fsdpConfig: oneDevice,
  fsdpMinNumParams: oneDevice,
  fsdpTransformerLayerClsToWrap: oneDevice,
  deepspeed: oneDevice,
  tpuNumCores: oneDevice,
  tpuMetricsDebug: oneDevice,
  shardedDdp: oneDevice,
  mpParameters: oneDevice,
  xpuBackend: oneDevice,
  useIpex: torch,
  adafactor: 'choose the optimizer with optim',
  debug: 'use --verbose',
  skipMemoryMetrics: 'the plan estimates memory before the first step',
  doTrain: 'lmflow finetune trains',
  doEval: 'evaluation data is always evaluated',
  doPredict: 'there is no prediction loop in the trainer',
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
