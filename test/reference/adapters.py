"""Writes test/fixtures/adapters/<family>/<name>: adapters for the models of families.py as PEFT saves them, with
random matrices, and the logits that PEFT gives when it loads them again.
Usage: python adapters.py [FAMILY/NAME...] (after families.py)"""
import json
import sys
import warnings

import peft
import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.utils.loftq_utils import _low_rank_decomposition
from safetensors.torch import save_file

from common import FIXTURES, load_model, versions, write_json
from families import batch
from steps import fresh, logits_of

Q = ["q_proj"]
QV = ["q_proj", "v_proj"]
TOKENS = [15, 5, 40]
# "save": what save_pretrained is told; "change": weights of the base that are moved before saving.
ADAPTERS = {
    "llama/plain": dict(r=4, target_modules=QV),
    "llama/patterns": dict(r=4, target_modules=QV, rank_pattern={"layers.1.self_attn.q_proj": 2, "v_proj": 6},
                           alpha_pattern={"layers.0.self_attn.q_proj": 12, "v_proj": 3}),
    "llama/rslora": dict(r=8, lora_alpha=4, target_modules=QV, use_rslora=True),
    "llama/dora": dict(r=4, target_modules=QV + ["down_proj"], use_dora=True),
    "llama/head": dict(r=4, target_modules=QV, modules_to_save=["lm_head"]),
    "llama/lora-head": dict(r=3, target_modules=Q + ["lm_head"]),
    "llama/dora-head": dict(r=3, target_modules=Q + ["lm_head"], use_dora=True),
    "llama/embedding-layers": dict(r=2, target_modules=Q, save={"save_embedding_layers": True},
                                   change=["model.embed_tokens.weight", "lm_head.weight"]),
    # ranks between singular values that are apart: float32 finds the same ones everywhere
    "llama/pissa": dict(r=6, target_modules=QV + ["down_proj", "lm_head"], init_lora_weights="pissa"),
    "llama/pissa-niter": dict(r=6, target_modules=QV, init_lora_weights="pissa_niter_400", use_rslora=True),
    "llama/olora": dict(r=4, target_modules=QV + ["down_proj", "up_proj"], init_lora_weights="olora",
                        rank_pattern={"v_proj": 2}),
    "llama/loftq": dict(r=4, target_modules=QV + ["down_proj"], init_lora_weights="loftq",
                        loftq_config={"loftq_bits": 4, "loftq_iter": 2}),
    "llama/lora-bias": dict(r=2, target_modules=Q + ["lm_head"], lora_bias=True),
    "llama/norm": dict(r=2, target_modules=Q, modules_to_save=["embed", "norm"]),
    "qwen3/norm": dict(r=2, target_modules=QV, modules_to_save=["norm", "mlp"]),
    "qwen2/bias-all": dict(r=2, target_modules=Q, bias="all"),
    "qwen2/bias-lora": dict(r=2, target_modules=Q + ["o_proj"], bias="lora_only", lora_bias=True),
    "gpt2/bias-all": dict(r=2, target_modules=["c_attn"], bias="all", fan_in_fan_out=True),
    "llama-tied/embedding-layers": dict(r=2, target_modules=Q, save={"save_embedding_layers": True},
                                        change=["model.embed_tokens.weight"]),
    "llama-tied/tied-modules": dict(r=2, target_modules=Q, modules_to_save=["embed_tokens"], ensure_weight_tying=True),
    # a head and an embedding of their own on a base that shares one weight
    "llama-tied/saved-head": dict(r=2, target_modules=Q, modules_to_save=["lm_head"]),
    "llama-tied/saved-embedding": dict(r=2, target_modules=Q, modules_to_save=["embed_tokens"]),
    "llama-tied/saved-both": dict(r=2, target_modules=Q, modules_to_save=["lm_head", "embed_tokens"]),
    "llama-tied/lora-head": dict(r=3, target_modules=Q + ["lm_head"]),
    "llama-tied/changed-head": dict(r=2, lora_alpha=1, target_modules=Q + ["lm_head"], change=["embed_tokens.weight"]),
    "llama-tied/lora-embedding": dict(r=3, target_modules=Q + ["embed_tokens"]),
    "llama-tied/tied-lora": dict(r=3, target_modules=Q + ["embed_tokens"], ensure_weight_tying=True),
    "llama-tied/tokens": dict(r=2, target_modules=Q, trainable_token_indices=TOKENS),
    "llama-tied/tokens-apart": dict(r=2, target_modules=Q,
                                    trainable_token_indices={"embed_tokens": TOKENS, "lm_head": [7]}),
    "llama/lora-embedding": dict(r=3, target_modules=Q + ["embed_tokens"]),
    "llama/dora-embedding": dict(r=3, target_modules=Q + ["embed_tokens"], use_dora=True),
    "llama/tokens": dict(r=2, target_modules=Q, trainable_token_indices=TOKENS),
    "llama/tokens-both": dict(r=2, target_modules=Q, trainable_token_indices={"embed_tokens": TOKENS, "lm_head": [7, 62]}),
    "gpt2/saved-head": dict(r=2, target_modules=["c_attn"], modules_to_save=["lm_head"], fan_in_fan_out=True),
    "gpt2/lora-embedding": dict(r=2, target_modules=["c_attn", "wte"], use_dora=True, fan_in_fan_out=True),
    "gpt2/tokens-head": dict(r=2, target_modules=["c_attn"], trainable_token_indices={"lm_head": TOKENS}, fan_in_fan_out=True),
    "gpt2/pissa": dict(r=5, target_modules=["c_attn", "c_fc"], init_lora_weights="pissa", fan_in_fan_out=True),
}

# bitsandbytes' NF4: the codes and what lies between them.
CODES = [-1.0, -0.6961928009986877, -0.5250730514526367, -0.39491748809814453, -0.28444138169288635, -0.18477343022823334,
         -0.09105003625154495, 0.0, 0.07958029955625534, 0.16093020141124725, 0.24611230194568634, 0.33791524171829224,
         0.44070982933044434, 0.5626170039176941, 0.7229568362236023, 1.0]


def nf4(weight, block=64):
    """To NF4 in blocks of 64 and back."""
    codes = torch.tensor(CODES)
    blocks = weight.reshape(-1, block)
    scales = blocks.abs().amax(dim=1, keepdim=True)
    nearest = ((blocks / scales)[..., None] - codes).abs().argmin(dim=-1)
    return (codes[nearest] * scales).reshape(weight.shape)


def loftq_on_cpu(weight, num_bits, reduced_rank, num_iter=1):
    """What peft.utils.loftq_utils.loftq_init computes, which asks for a GPU and bitsandbytes."""
    assert num_bits == 4
    rest = weight = weight.detach().float()
    for _ in range(num_iter):
        base = nf4(rest)
        found = _low_rank_decomposition(weight - base, reduced_rank=reduced_rank)
        rest = weight - found["L"] @ found["R"]
    return base, found["R"], found["L"]


peft.tuners.lora.layer.loftq_init = loftq_on_cpu


def save(model, folder, **options):
    """As PEFT saves it, but the base model named relative to the fixtures and no model card."""
    model.save_pretrained(folder, **options)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = folder.parent.name
    if isinstance(config["target_modules"], list):
        config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter_config.json", config)


@torch.no_grad()
def randomise(model, change, size):
    for key, p in model.named_parameters():
        if "lora_magnitude_vector" in key:
            p.mul_(1 + 0.3 * torch.randn_like(p))
        elif "lora_" in key:
            p.normal_(0, size)
        elif p.requires_grad or any(key.endswith(name) for name in change):
            p.add_(0.1 * torch.randn_like(p))


def adapter(path, config):
    family = path.split("/")[0]
    base = FIXTURES / "families" / family
    folder = fresh(FIXTURES / "adapters" / path)
    config = dict(config)
    options, change = config.pop("save", {}), config.pop("change", [])
    torch.manual_seed(3)
    model = get_peft_model(load_model(base), LoraConfig(task_type="CAUSAL_LM", **{"lora_alpha": 8, **config}))
    # less where PEFT decomposes in float32, whose rounding larger matrices amplify
    randomise(model, change, 0.1 if "init_lora_weights" in config else 0.3)
    save(model, folder, **options)
    made = logits_of(PeftModel.from_pretrained(load_model(base), folder), batch())
    moved = (made["logits"] - logits_of(load_model(base), batch())["logits"]).abs().max()
    save_file(made, folder / "reference.safetensors")
    write_json(folder / "reference.json", {"made_by": "test/reference/adapters.py", "base": f"families/{family}",
                                           "versions": versions()})
    print(f"adapter {path}: changes logits by up to {moved:.2f}")


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    only = sys.argv[1:]
    for path, config in ADAPTERS.items():
        if not only or path in only:
            adapter(path, config)
