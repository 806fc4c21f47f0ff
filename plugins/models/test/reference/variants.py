# Tiny models with the options of config.json that test/fixtures/families leaves out, and rotary frequencies of transformers itself.
# Python 3.11, torch 2.13.0, transformers 5.18.0: python plugins/models/test/reference/variants.py
import json
import os

import torch
from safetensors.torch import save_file
from transformers import GPT2Config, GPT2LMHeadModel, LlamaConfig, LlamaForCausalLM, Qwen2Config, Qwen2ForCausalLM, Qwen3Config, Qwen3ForCausalLM
from transformers.modeling_rope_utils import ROPE_INIT_FUNCTIONS

HERE = os.path.join(os.path.dirname(__file__), "..", "fixtures")
SIZES = dict(vocab_size=96, hidden_size=16, intermediate_size=24, num_hidden_layers=3, num_attention_heads=4, num_key_value_heads=2, max_position_embeddings=64)
VARIANTS = {
    "llama-biases": (LlamaForCausalLM, LlamaConfig(**SIZES, attention_bias=True, mlp_bias=True, hidden_act="gelu")),
    "llama-relu-mha": (LlamaForCausalLM, LlamaConfig(**{**SIZES, "num_key_value_heads": 4}, hidden_act="relu", rms_norm_eps=1e-3, head_dim=6)),
    "qwen2-window": (Qwen2ForCausalLM, Qwen2Config(**SIZES, use_sliding_window=True, sliding_window=4, max_window_layers=1, hidden_act="gelu_pytorch_tanh")),
    "qwen3-biases": (Qwen3ForCausalLM, Qwen3Config(**SIZES, head_dim=8, attention_bias=True, use_sliding_window=True, sliding_window=3, layer_types=["sliding_attention", "full_attention", "sliding_attention"], tie_word_embeddings=True)),
    "gpt2-scales": (GPT2LMHeadModel, GPT2Config(vocab_size=96, n_embd=16, n_layer=3, n_head=2, n_positions=32, scale_attn_by_inverse_layer_idx=True, scale_attn_weights=False, activation_function="relu", tie_word_embeddings=False)),
}
ids = torch.tensor([[(7 * i + 3) % 96 for i in range(16)]])

for seed, (name, (cls, config)) in enumerate(VARIANTS.items()):
    torch.manual_seed(seed)
    model = cls(config).eval()
    with torch.no_grad():
        for parameter in model.parameters():
            parameter.copy_(torch.randn_like(parameter) * 0.3 + (1 if parameter.dim() == 1 else 0))
    folder = os.path.join(HERE, "variants", name)
    model.save_pretrained(folder)
    with torch.no_grad():
        logits = model(ids).logits
    save_file({"input_ids": ids.to(torch.int32), "logits": logits.contiguous()}, os.path.join(folder, "reference.safetensors"))

rope = []
for max_positions, parameters, length in [
    (64, {"rope_type": "linear", "factor": 3.5}, 8),
    (64, {"rope_type": "dynamic", "factor": 4.0}, 64), (64, {"rope_type": "dynamic", "factor": 4.0}, 65), (64, {"rope_type": "dynamic", "factor": 2.0}, 500),
    (4096, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024}, 8),
    (4096, {"rope_type": "yarn", "factor": 4.0, "original_max_position_embeddings": 1024, "attention_factor": 0.7}, 8),
    (4096, {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 1024, "mscale": 1.0, "mscale_all_dim": 0.8}, 8),
    (4096, {"rope_type": "yarn", "factor": 40.0, "original_max_position_embeddings": 1024, "mscale": 0.707}, 8),
    (4096, {"rope_type": "yarn", "factor": 8.0, "original_max_position_embeddings": 512, "beta_fast": 16, "beta_slow": 2, "truncate": False}, 8),
    (4096, {"rope_type": "yarn", "factor": 8.0}, 8),
    (131072, {"rope_type": "llama3", "factor": 32.0, "low_freq_factor": 1.0, "high_freq_factor": 4.0, "original_max_position_embeddings": 8192, "rope_theta": 500000.0}, 8),
    (131072, {"rope_type": "longrope", "factor": 4.0, "short_factor": [1 + i / 64 for i in range(32)], "long_factor": [1 + i / 4 for i in range(32)], "original_max_position_embeddings": 4096}, 4096),
    (131072, {"rope_type": "longrope", "short_factor": [1 + i / 64 for i in range(32)], "long_factor": [1 + i / 4 for i in range(32)], "original_max_position_embeddings": 4096}, 4097),
    (131072, {"rope_type": "longrope", "factor": 4.0, "attention_factor": 1.5, "short_factor": [1.0] * 32, "long_factor": [2.0] * 32, "original_max_position_embeddings": 4096}, 10),
]:
    config = LlamaConfig(hidden_size=256, num_attention_heads=4, max_position_embeddings=max_positions, rope_parameters={"rope_theta": 10000.0, **parameters})
    inverse, attention = ROPE_INIT_FUNCTIONS[parameters["rope_type"]](config, "cpu", seq_len=length)
    rope.append({"maxPositions": max_positions, "length": length, "parameters": {"rope_theta": 10000.0, **parameters}, "inverse": inverse.tolist(), "attention": attention})
with open(os.path.join(HERE, "rope.json"), "w") as file:
    json.dump(rope, file)
