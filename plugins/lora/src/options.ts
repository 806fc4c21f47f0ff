// The `lora` section of the configuration: PEFT's LoraConfig names in camelCase, with the short
// names people type.
import { z } from 'zod';

const pattern = z.record(z.string(), z.number());

export const loraOptions = z.object({
  r: z.number().int().positive().default(8).describe('Rank of the update matrices.'),
  loraAlpha: z
    .number()
    .positive()
    .optional()
    .describe('Scaling numerator: the update is multiplied by loraAlpha / r. Default: 2 r.'),
  loraDropout: z
    .number()
    .min(0)
    .max(0.999)
    .default(0)
    .describe('Dropout on the input of the adapters, in training only.'),
  targetModules: z
    .union([z.string(), z.array(z.string()).nonempty()])
    .default('all-linear')
    .describe(
      'Modules to adapt: "all-linear" (all linears of the blocks), names, or a regular expression for the path.',
    ),
  excludeModules: z
    .union([z.string(), z.array(z.string())])
    .optional()
    .describe('Modules to leave out: a list of names, or one regular expression.'),
  layersToTransform: z
    .array(z.number().int().nonnegative())
    .optional()
    .describe('Only these blocks (0 is the first).'),
  useRslora: z
    .boolean()
    .default(false)
    .describe('Scale by loraAlpha / sqrt(r) (rank-stabilised LoRA).'),
  useDora: z
    .boolean()
    .default(false)
    .describe('Train a magnitude for each output beside the low-rank direction (DoRA).'),
  loraplusLrRatio: z
    .number()
    .positive()
    .default(1)
    .describe('Learning rate of B and of vectors as a multiple of that of A (LoRA+); 16 is usual.'),
  loraplusLrEmbedding: z
    .number()
    .positive()
    .optional()
    .describe(
      'Learning rate of matrices of the embedding; default: 1e-6 where loraplusLrRatio is not 1, else learningRate.',
    ),
  modulesToSave: z
    .array(z.string())
    .default([])
    .describe('Modules trained and saved whole beside the adapter, e.g. embed_tokens, lm_head.'),
  trainableTokenIndices: z
    .union([
      z.array(z.number().int().nonnegative()),
      z.record(z.string(), z.array(z.number().int().nonnegative())),
    ])
    .optional()
    .describe(
      'Tokens whose rows of the embedding are trained; or by module: { embed_tokens: [5], lm_head: [7] }.',
    ),
  ensureWeightTying: z
    .boolean()
    .default(false)
    .describe(
      'Train a tied embedding and head of modulesToSave as one; otherwise each is trained apart, as in PEFT.',
    ),
  bias: z
    .enum(['none', 'all', 'lora_only'])
    .default('none')
    .describe('Biases trained beside the adapter: none, all, or those of the adapted linears.'),
  loraBias: z.boolean().default(false).describe('Train a bias beside B.'),
  rankPattern: pattern
    .default({})
    .describe(
      'Ranks by name, or by regular expression for the end of the path: { "layers.0.self_attn.q_proj": 16 }.',
    ),
  alphaPattern: pattern.default({}).describe('Like rankPattern, for loraAlpha of single modules.'),
  initLoraWeights: z
    .union([
      z.boolean(),
      z.enum(['gaussian', 'pissa', 'olora', 'loftq']),
      z
        .string()
        .regex(
          /^pissa_niter_[1-9]\d*$/,
          'must be true, false, gaussian, pissa, pissa_niter_N, olora or loftq (corda, eva and lora_ga ' +
            'need data: initialise with them in PEFT, save, and continue that with lora.adapter)',
        ),
    ])
    .default(true)
    .describe(
      'Start of A and B: true (A uniform), "gaussian", "pissa", "pissa_niter_N", "olora", "loftq"; false: both random.',
    ),
  loftqConfig: z
    .object({
      loftqBits: z.literal(4).default(4).describe('Bits of the base: 4.'),
      loftqIter: z
        .number()
        .int()
        .min(1)
        .default(1)
        .describe('How often base and matrices are fitted to each other.'),
    })
    .default({ loftqBits: 4, loftqIter: 1 })
    .describe('For initLoraWeights "loftq".'),
  adapter: z
    .string()
    .optional()
    .describe(
      'Folder of a PEFT adapter to use or to continue from; its settings (rank, alpha, modules) are used.',
    ),
  adapters: z
    .union([
      z.record(z.string().min(1), z.string().min(1)),
      z.array(z.string().regex(/^[^=]+=.+$/, 'must be name=folder')),
    ])
    .default({})
    .describe(
      'For inference: PEFT adapters by name, one per request: { poet: "out/poet" }, or a list of name=folder.',
    ),
});

export type LoraOptions = z.output<typeof loraOptions>;

/** Options with everything decided: what adapter_config.json holds. */
export type DecidedOptions = LoraOptions & { readonly loraAlpha: number };

export const aliases = {
  alpha: 'loraAlpha',
  dropout: 'loraDropout',
  targets: 'targetModules',
  target: 'targetModules',
  rsLora: 'useRslora',
  dora: 'useDora',
  loraPlusLrRatio: 'loraplusLrRatio',
  loraPlusLrEmbedding: 'loraplusLrEmbedding',
  rslora: 'useRslora',
  rank: 'r',
  adapterNameOrPath: 'adapter',
  layers: 'layersToTransform',
};

/**
 * LoRA+ (Hayou et al. 2024): what B and vectors carry, as PEFT's create_loraplus_optimizer groups
 * them.
 */
export function loraPlus({ loraplusLrRatio }: LoraOptions): {
  readonly learningRateScale?: number;
} {
  return loraplusLrRatio === 1 ? {} : { learningRateScale: loraplusLrRatio };
}

/** What the matrices of an embedding carry: a rate of their own, as in PEFT. */
export function loraPlusEmbedding({ loraplusLrRatio, loraplusLrEmbedding }: LoraOptions): {
  readonly learningRate?: number;
} {
  const learningRate = loraplusLrEmbedding ?? (loraplusLrRatio === 1 ? undefined : 1e-6);
  return learningRate === undefined ? {} : { learningRate };
}

/** `adapters` as pairs of name and folder. */
export function namedAdapters({ adapters }: LoraOptions): [string, string][] {
  if (!Array.isArray(adapters)) return Object.entries(adapters);
  return adapters.map((text) => [
    text.slice(0, text.indexOf('=')),
    text.slice(text.indexOf('=') + 1),
  ]);
}

const later = 'it is not part of this plugin yet';

export const unsupported = {
  fanInFanOut: 'it follows from the architecture',
  taskType: { reason: 'it is always CAUSAL_LM', accepts: ['CAUSAL_LM'] },
  inferenceMode: 'it follows from the command',
  layersPattern: {
    reason: 'use layersToTransform or a regular expression in targetModules',
    accepts: [null],
  },
  evaConfig: { reason: later, accepts: [null] },
  cordaConfig: { reason: later, accepts: [null] },
  megatronConfig: { reason: 'Megatron is not supported', accepts: [null] },
  megatronCore: 'Megatron is not supported',
  targetParameters: { reason: later, accepts: [null] },
  layerReplication: { reason: later, accepts: [null] },
  useQalora: { reason: later, accepts: [false] },
  qaloraGroupSize: later,
  useBdlora: { reason: later, accepts: [null, false] },
  alora: { reason: later, accepts: [null] },
  aloraInvocationTokens: { reason: later, accepts: [null] },
  arrowConfig: { reason: later, accepts: [null] },
  loraGaConfig: { reason: later, accepts: [null] },
  montecloraConfig: { reason: later, accepts: [null] },
  veloraConfig: { reason: later, accepts: [null] },
  runtimeConfig: { reason: 'it is for PyTorch only', accepts: [null] },
  peftType: { reason: 'it is always LORA', accepts: ['LORA'] },
  peftVersion: 'it is not written, so that every version reads the adapter',
  autoMapping: { reason: 'it is for models outside of transformers', accepts: [null] },
  baseModelNameOrPath: { reason: 'it is the key model', accepts: [null] },
  revision: { reason: 'it is the key revision of the configuration itself', accepts: [null] },
};

declare module '@lmflow/sdk' {
  interface ConfigSections {
    lora?: z.input<typeof loraOptions> | true;
  }
}
