"""Writes test/fixtures/steps/<family>/<method> (20 steps by PyTorch + PEFT from the models of families.py).
Usage: python steps.py [METHOD...] (after families.py)"""
import json
import shutil
import sys

import torch
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
# What is trained beside two linears where head and embedding share a weight, or have rows of their own.
ENDS = {
    "llama-tied": {
        "saved-head": {"modules_to_save": ["lm_head"]},
        "saved-embedding": {"modules_to_save": ["embed_tokens"]},
        "saved-both": {"modules_to_save": ["embed_tokens", "lm_head"]},
        "saved-as-one": {"modules_to_save": ["embed_tokens"], "ensure_weight_tying": True},
        "tokens": {"trainable_token_indices": [15, 5, 40]},
        "tokens-apart": {"trainable_token_indices": {"embed_tokens": [15, 5, 40], "lm_head": [7, 62]}},
        "lora-head": {"target_modules": ["v_proj", "lm_head"]},
        "lora-embedding": {"target_modules": ["v_proj", "embed_tokens"]},
        "loraplus-embedding": {"target_modules": ["v_proj", "embed_tokens"]},
        "loraplus-embedding-rate": {"target_modules": ["v_proj", "embed_tokens"]},
        "dora-embedding": {"target_modules": ["v_proj", "embed_tokens"], "use_dora": True},
    },
}
# Settings of the run of some of these.
RATES = {
    "loraplus-embedding": {"loraplus_lr_ratio": 8},
    "loraplus-embedding-rate": {"loraplus_lr_ratio": 8, "loraplus_lr_embedding": 5e-3},
}
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
    config["base_model_name_or_path"] = folder.parts[-3]
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


def methods(family):
    if family in ENDS:
        lora = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": ["q_proj", "v_proj"]}
        return [(method, {"learning_rate": 2e-3, **COMMON, **RATES.get(method, {}), "lora": {**lora, **more}})
                for method, more in ENDS[family].items()]
    lora = {"r": 4, "alpha": 8, "dropout": 0.0, "target_modules": LINEARS[family]}
    if family == "gpt2":
        lora["fan_in_fan_out"] = True
    made = [("lora", {"learning_rate": 1e-2, **COMMON, "lora": lora}),
            ("dora", {"learning_rate": 1e-2, **COMMON, "lora": {**lora, "use_dora": True}}),
            ("loraplus", {"learning_rate": 2e-3, **COMMON, "loraplus_lr_ratio": 8, "lora": lora}),
            ("head", {"learning_rate": 1e-2, **COMMON, "lora": {**lora, "target_modules": ["v_proj", "lm_head"]}}),
            ("full", {"learning_rate": 1e-3, **COMMON, "lora": None})]
    return [one for one in made if one[0] != "head" or family == "llama"]


def steps(family, only=None):
    folder = FIXTURES / "steps" / family
    pool, order = samples()
    for method, settings in methods(family):
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


if __name__ == "__main__":
    torch.set_num_threads(1)
    only = sys.argv[1:]
    for family in [*LINEARS, *ENDS]:
        steps(family, only)
