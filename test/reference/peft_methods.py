"""Writes test/fixtures/peft-methods/<method>/<family>-<name>: adapters of IA3 and VeRA for the models of families.py as
PEFT saves them, with the logits that PEFT gives when it loads them again, and the weights that merge_and_unload changes;
and test/fixtures/steps/<family>/<method>: 20 steps by PyTorch + PEFT.
Usage: python peft_methods.py [METHOD...] (after families.py)"""
import dataclasses
import json
import sys
import warnings

import torch
from peft import IA3Config, PeftModel, VeraConfig, get_peft_model
from safetensors.torch import save_file

from common import FIXTURES, load_model, pad, versions, write_json
from families import batch
from peft_finetune import train, with_defaults
from steps import COMMON, fresh, logits_of, samples

CONFIGS = {"ia3": IA3Config, "vera": VeraConfig}
MLP = [".*mlp.*proj", ".*(up|down)_proj"]
# By method, family and name: settings of PEFT's configuration; "refused" where they are refused here.
CASES = {
    "ia3/llama-default": {},
    "ia3/gpt2-default": {},
    "ia3/qwen2-default": {},
    "ia3/mistral-default": {},
    "ia3/qwen3-expression": dict(target_modules=MLP[0], feedforward_modules=MLP[1], exclude_modules=["gate_proj"]),
    "ia3/llama-all-linear": dict(target_modules="all-linear", feedforward_modules=[]),
    "ia3/llama-head": dict(target_modules=["q_proj", "lm_head"], feedforward_modules=["q_proj"]),
    "ia3/llama-head-input": dict(target_modules=["q_proj", "lm_head"], feedforward_modules=["lm_head"]),
    "ia3/llama-random": dict(init_ia3_weights=False),
    "ia3/llama-modules-to-save": dict(modules_to_save=["norm"]),
    "vera/llama-default": dict(r=6),
    "vera/gpt2-default": dict(r=6),
    "vera/qwen2-default": dict(r=6),
    "vera/qwen3-shapes": dict(r=5, target_modules=["q_proj", "up_proj", "down_proj"]),
    "vera/llama-all-linear": dict(r=4, target_modules="all-linear", d_initial=0.3, vera_dropout=0.2),
    "vera/llama-layers": dict(r=4, layers_to_transform=[1], layers_pattern="layers"),
    "vera/llama-head": dict(r=4, target_modules=["q_proj", "lm_head"]),
    "vera/llama-no-projection": dict(r=6, save_projection=False, projection_prng_key=11),
    "vera/llama-random": dict(r=3, init_weights=False),
    "vera/llama-bias": dict(r=3, bias="vera_only"),
    "vera/llama-modules-to-save": dict(r=3, modules_to_save=["norm"]),
}
STEPS = {
    "ia3": [("llama", {}), ("qwen2", {}), ("gpt2", {})],
    "vera": [("llama", dict(r=8)), ("gpt2", dict(r=8))],
}
# Settings that say what an adapter is of: test/reference/lora_fields.py has them.
BASE_FIELDS = {"task_type", "peft_type", "auto_mapping", "peft_version", "base_model_name_or_path", "revision",
               "inference_mode"}


def config_of(method, settings):
    return CONFIGS[method](task_type="CAUSAL_LM", **settings)


def save(model, folder, base):
    """As PEFT saves it, but the base model named relative to the fixtures and no model card."""
    model.save_pretrained(folder)
    (folder / "README.md").unlink()
    config = json.loads((folder / "adapter_config.json").read_text())
    config["base_model_name_or_path"] = base
    for key, value in config.items():
        if key.endswith("_modules") and isinstance(value, list):
            config[key] = sorted(value)
    write_json(folder / "adapter_config.json", config)


@torch.no_grad()
def randomise(model):
    for key, p in model.named_parameters():
        if p.requires_grad:
            p.add_((0.3 if "ia3_l" in key or "lambda" in key else 0.1) * torch.randn_like(p))


def adapter(path, settings):
    method, name = path.split("/")
    family = name.split("-")[0]
    base = FIXTURES / "families" / family
    folder = fresh(FIXTURES / "peft-methods" / path)
    torch.manual_seed(3)
    model = get_peft_model(load_model(base), config_of(method, settings))
    randomise(model)
    save(model, folder, family)
    made = logits_of(PeftModel.from_pretrained(load_model(base), folder), batch())
    plain = load_model(base)
    moved = (made["logits"] - logits_of(plain, batch())["logits"]).abs().max()
    before = plain.state_dict()
    merged = PeftModel.from_pretrained(load_model(base), folder).merge_and_unload().state_dict()
    changed = {f"merged.{k}": v.contiguous() for k, v in merged.items() if not torch.equal(v, before[k])}
    save_file({**made, **changed}, folder / "reference.safetensors")
    write_json(folder / "reference.json", {"made_by": "test/reference/peft_methods.py", "base": f"families/{family}",
                                           "versions": versions()})
    print(f"{path}: changes logits by up to {moved:.2f}, {len(changed)} weights")


def steps(method, family, settings):
    folder = fresh(FIXTURES / "steps" / family / method)
    pool, order = samples()
    run = {"learning_rate": 2e-2, **COMMON}
    torch.manual_seed(COMMON["seed"])
    model = get_peft_model(load_model(FIXTURES / "families" / family), config_of(method, settings))
    save(model, folder / "initial", family)
    history = list(train(model, pool, order, with_defaults(run)))
    save(model, folder / "final", family)
    write_json(folder / "run.json", {"train": pool, "order": order, "settings": run})
    save_file(logits_of(model, pad([pool[i] for i in order[0]])), folder / "reference.safetensors")
    write_json(folder / "reference.json", {
        "made_by": "test/reference/peft_methods.py", "base": f"families/{family}",
        **{k: [line[k] for line in history] for k in ("loss", "grad_norm", "learning_rate", "tokens")},
        "logits_samples": order[0], "versions": versions()})
    print(f"{family} {method}: loss", " ".join(f"{line['loss']:.3f}" for line in history))


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    for method in sys.argv[1:] or CONFIGS:
        cases = {path: settings for path, settings in CASES.items() if path.startswith(f"{method}/")}
        used = {key for settings in cases.values() for key in settings}
        left = {f.name for f in dataclasses.fields(CONFIGS[method])} - BASE_FIELDS - used - {"fan_in_fan_out"}
        assert not left, f"no case has {left}"
        for path, settings in cases.items():
            adapter(path, settings)
        for family, settings in STEPS[method]:
            steps(method, family, settings)
