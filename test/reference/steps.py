"""Writes test/fixtures/steps/<family>/{lora,full} (20 steps by PyTorch + PEFT from the models of families.py)
and test/fixtures/adapters/llama/<name> (adapters as PEFT saves them, with non-zero B, and the logits they give).
Usage: python steps.py [METHOD or ADAPTER...] (after families.py)"""
import json
import shutil
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from safetensors.torch import save_file

from common import FIXTURES, load_model, pad, versions, write_json
from families import batch
from peft_finetune import train, with_defaults, with_lora

MODELS = FIXTURES / "families"
STEPS, POOL, VOCAB = 20, 10, 96
LINEARS = {
    "llama": ["q_proj", "k_proj", "v_proj", "o_proj", "gate_proj", "up_proj", "down_proj"],
    "gpt2": ["c_attn", "c_proj", "c_fc"],
}
LINEARS["qwen2"] = LINEARS["llama"]
COMMON = {"weight_decay": 0.01, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8, "schedule": "linear",
          "warmup_steps": 3, "max_grad_norm": 1.0, "seed": 7}


def samples():
    """Ten sequences of 12 to 24 tokens; the first tokens of each carry no label, as in instruction tuning."""
    generator = torch.Generator().manual_seed(COMMON["seed"])
    number = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    made = []
    for _ in range(POOL):
        length = number(12, 25)
        ids = torch.randint(3, VOCAB, (length,), generator=generator).tolist()
        prompt = number(0, 6)
        made.append({"input_ids": ids, "labels": [-100] * prompt + ids[prompt:]})
    order = [[number(0, POOL), number(0, POOL - 1)] for _ in range(STEPS)]
    return made, [[a, b + (b >= a)] for a, b in order]


def save_adapter(model, folder):
    """As PEFT saves it, but the base model named relative to the fixtures and no model card."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = "llama" if folder.parent.name == "llama" else folder.parts[-3]
    config["target_modules"] = sorted(config["target_modules"])
    write_json(folder / "adapter_config.json", config)


@torch.no_grad()
def logits_of(model, inputs):
    inputs = {k: inputs[k] for k in ("input_ids", "attention_mask")}
    logits = model.eval()(**inputs, use_cache=False).logits
    return {**{k: v.to(torch.int32) for k, v in inputs.items()}, "logits": logits}


def fresh(folder):
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def steps(family, only=None):
    folder = FIXTURES / "steps" / family
    pool, order = samples()
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": LINEARS[family]}
    if family == "gpt2":
        lora["fan_in_fan_out"] = True
    for method, settings in (("lora", {"learning_rate": 1e-2, **COMMON, "lora": lora}),
                             ("dora", {"learning_rate": 1e-2, **COMMON, "lora": {**lora, "use_dora": True}}),
                             ("loraplus", {"learning_rate": 2e-3, **COMMON, "loraplus_lr_ratio": 8, "lora": lora}),
                             ("full", {"learning_rate": 1e-3, **COMMON, "lora": None})):
        if only and method not in only:
            continue
        torch.manual_seed(COMMON["seed"])
        model = load_model(MODELS / family)
        place = fresh(folder / method)
        if settings["lora"]:
            model = with_lora(model, settings["lora"])
            save_adapter(model, place / "initial")
        history = list(train(model, pool, order, with_defaults(settings)))
        if settings["lora"]:
            save_adapter(model, place / "final")
        write_json(place / "run.json", {"train": pool, "order": order, "settings": settings})
        save_file(logits_of(model, pad([pool[i] for i in order[0]])), place / "reference.safetensors")
        write_json(place / "reference.json", {
            "made_by": "test/reference/steps.py", "base": f"families/{family}",
            **{k: [line[k] for line in history] for k in ("loss", "grad_norm", "learning_rate", "tokens")},
            "logits_samples": order[0], "versions": versions()})
        print(f"{family} {method}: loss", " ".join(f"{line['loss']:.3f}" for line in history),
              "| grad norm", " ".join(f"{line['grad_norm']:.2f}" for line in history))


ADAPTERS = {
    "plain": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"]),
    "patterns": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"],
                     rank_pattern={"layers.1.self_attn.q_proj": 2, "v_proj": 6},
                     alpha_pattern={"layers.0.self_attn.q_proj": 12, "v_proj": 3}),
    "rslora": dict(r=8, lora_alpha=4, target_modules=["q_proj", "v_proj"], use_rslora=True),
    "dora": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj", "down_proj"], use_dora=True),
    "head": dict(r=4, lora_alpha=8, target_modules=["q_proj", "v_proj"], modules_to_save=["lm_head"]),
}


def adapter(name, config):
    folder = FIXTURES / "adapters" / "llama" / name
    fresh(folder)
    torch.manual_seed(3)
    model = get_peft_model(load_model(MODELS / "llama"), LoraConfig(task_type="CAUSAL_LM", **config))
    with torch.no_grad():
        for key, p in model.named_parameters():
            if "lora_magnitude_vector" in key:
                p.mul_(1 + 0.3 * torch.randn_like(p))
            elif "lora_" in key:
                p.normal_(0, 0.3)
            elif "modules_to_save" in key:
                p.add_(0.1 * torch.randn_like(p))
    save_adapter(model, folder)
    made = logits_of(PeftModel.from_pretrained(load_model(MODELS / "llama"), folder), batch())
    base = logits_of(load_model(MODELS / "llama"), batch())
    save_file(made, folder / "reference.safetensors")
    write_json(folder / "reference.json", {"made_by": "test/reference/steps.py", "base": "families/llama",
                                           "versions": versions()})
    print(f"adapter {name}: changes logits by up to {(made['logits'] - base['logits']).abs().max():.2f}")


if __name__ == "__main__":
    torch.set_num_threads(1)
    only = sys.argv[1:]
    for family in LINEARS:
        steps(family, only)
    for name, config in ADAPTERS.items():
        if not only or name in only:
            adapter(name, config)
