// The GGUF architecture of each family of models, its names of tensors, and the settings that
// llama.cpp does not compute. The bytes of the file are in file.ts.
import type { Model } from '@lmflow/sdk/model';
import { ggufFamily, ggufUnsupported } from '../errors.ts';

export interface GgufFamily {
  /** general.architecture, and the prefix of its keys. */
  readonly architecture: string;
  /**
   * Rows of q and k as pairs (2i, 2i + 1) instead of (i, i + D/2): GGUF's llama keeps the order of
   * Meta's first release.
   */
  readonly interleaved: boolean;
  readonly norm: 'rms' | 'layer';
  /** Module path in the checkpoint -> name. */
  readonly modules: Readonly<Record<string, string>>;
  /** The prefix of modules of a block. */
  readonly block: RegExp;
  /** As `modules`, without the prefix. */
  readonly blockModules: Readonly<Record<string, string>>;
  /** Linears that may have a bias. */
  readonly biases: readonly string[];
  /** rope_scaling types besides `default`. */
  readonly ropeScaling: readonly string[];
  readonly activationKey: string;
  readonly activations: readonly string[];
  /** Keys of config.json -> the only value that llama.cpp computes. */
  readonly fixed: Readonly<Record<string, unknown>>;
}

const attention = {
  'self_attn.q_proj': 'attn_q',
  'self_attn.k_proj': 'attn_k',
  'self_attn.v_proj': 'attn_v',
  'self_attn.o_proj': 'attn_output',
};

const llama: GgufFamily = {
  architecture: 'llama',
  interleaved: true,
  norm: 'rms',
  modules: { 'model.embed_tokens': 'token_embd', 'model.norm': 'output_norm', lm_head: 'output' },
  block: /^model\.layers\.(\d+)\./,
  blockModules: {
    input_layernorm: 'attn_norm',
    post_attention_layernorm: 'ffn_norm',
    ...attention,
    'mlp.gate_proj': 'ffn_gate',
    'mlp.up_proj': 'ffn_up',
    'mlp.down_proj': 'ffn_down',
  },
  biases: ['attn_q', 'attn_k', 'attn_v', 'attn_output', 'ffn_gate', 'ffn_up', 'ffn_down'],
  ropeScaling: ['linear', 'yarn', 'llama3'],
  activationKey: 'hidden_act',
  activations: ['silu', 'swish'],
  fixed: {},
};

const qwen2: GgufFamily = {
  ...llama,
  architecture: 'qwen2',
  interleaved: false,
  biases: ['attn_q', 'attn_k', 'attn_v'],
  ropeScaling: ['linear', 'yarn'],
};

const FAMILIES: Readonly<Record<string, GgufFamily>> = {
  llama,
  mistral: { ...llama, biases: [] },
  qwen2,
  qwen3: {
    ...qwen2,
    architecture: 'qwen3',
    biases: [],
    blockModules: {
      ...llama.blockModules,
      'self_attn.q_norm': 'attn_q_norm',
      'self_attn.k_norm': 'attn_k_norm',
    },
  },
  gpt2: {
    architecture: 'gpt2',
    interleaved: false,
    norm: 'layer',
    modules: {
      'transformer.wte': 'token_embd',
      'transformer.wpe': 'position_embd',
      'transformer.ln_f': 'output_norm',
      lm_head: 'output',
    },
    block: /^transformer\.h\.(\d+)\./,
    blockModules: {
      ln_1: 'attn_norm',
      ln_2: 'ffn_norm',
      'attn.c_attn': 'attn_qkv',
      'attn.c_proj': 'attn_output',
      'mlp.c_fc': 'ffn_up',
      'mlp.c_proj': 'ffn_down',
    },
    biases: [
      'attn_qkv',
      'attn_output',
      'ffn_up',
      'ffn_down',
      'attn_norm',
      'ffn_norm',
      'output_norm',
    ],
    ropeScaling: [],
    activationKey: 'activation_function',
    activations: ['gelu_new', 'gelu_pytorch_tanh', 'gelu_fast'],
    fixed: { scale_attn_weights: true, scale_attn_by_inverse_layer_idx: false },
  },
};

/**
 * The model's row; throws LMFLOW_GGUF_FAMILY, or LMFLOW_GGUF_UNSUPPORTED where llama.cpp would
 * compute something else.
 */
export function ggufFamilyOf(model: Model): GgufFamily {
  const { architecture, config, source } = model;
  const family = Object.hasOwn(FAMILIES, architecture.family)
    ? FAMILIES[architecture.family]!
    : undefined;
  if (!family) throw ggufFamily(architecture.family, Object.keys(FAMILIES));
  const activation = config[family.activationKey] ?? family.activations[0];
  if (!family.activations.includes(activation as string)) {
    throw ggufUnsupported(
      source,
      `its ${family.activationKey} is ${JSON.stringify(activation)}, ` +
        `and llama.cpp computes ${family.activations[0]!} for ${family.architecture}`,
    );
  }
  for (const [key, value] of Object.entries(family.fixed)) {
    if ((config[key] ?? value) !== value) {
      throw ggufUnsupported(
        source,
        `its ${key} is ${JSON.stringify(config[key])}, ` +
          `and llama.cpp computes ${JSON.stringify(value)} for ${family.architecture}`,
      );
    }
  }
  checkRope(model, family);
  return family;
}

function checkRope({ architecture: { rope }, source }: Model, family: GgufFamily): void {
  if (!rope || rope.scaling.type === 'default') return;
  const {
    type,
    attention_factor: factor,
    mscale,
    mscale_all_dim: all,
    beta_fast: fast,
    beta_slow: slow,
    truncate,
  } = rope.scaling;
  if (!family.ropeScaling.includes(type)) {
    throw ggufUnsupported(
      source,
      `its rope scaling is "${type}", and GGUF's ${family.architecture} has ` +
        (family.ropeScaling.join(', ') || 'no rope scaling'),
    );
  }
  if (type !== 'yarn') return;
  const others = Object.entries({ attention_factor: factor, mscale, mscale_all_dim: all }).find(
    ([, value]) => value !== undefined,
  );
  if (others) throw ggufUnsupported(source, `its yarn rope scaling sets ${others[0]}`);
  if (fast !== 32 || slow !== 1 || truncate === false) {
    throw ggufUnsupported(
      source,
      'its yarn rope scaling is not that of llama.cpp (beta_fast 32, beta_slow 1, truncate)',
    );
  }
}

/**
 * A tensor's name in GGUF and its block; throws LMFLOW_GGUF_UNSUPPORTED for a tensor that llama.cpp
 * does not have.
 */
export function tensorName(
  model: Model,
  family: GgufFamily,
  name: string,
): { readonly name: string; readonly module: string; readonly layer?: number } {
  const [, path, part] = /^(.*)\.(weight|bias)$/.exec(name) ?? [];
  const block = family.block.exec(name);
  const module = block
    ? family.blockModules[path!.slice(block[0].length)]
    : family.modules[path ?? ''];
  if (module === undefined || (part === 'bias' && !family.biases.includes(module))) {
    throw ggufUnsupported(
      model.source,
      `llama.cpp's ${family.architecture} has no tensor like its ${name}`,
    );
  }
  return block
    ? { name: `blk.${block[1]!}.${module}.${part!}`, module, layer: Number(block[1]) }
    : { name: `${module}.${part!}`, module };
}
