"""Writes test/fixtures/lora-fields: for every field of PEFT's LoraConfig an adapter of families/llama that has another
value there than the default, and the logits that PEFT gives when it loads it; where PEFT cannot make it on a CPU, the
config alone (with plain matrices) and why.
Usage: python lora_fields.py (after families.py)"""
import dataclasses
import json
import warnings

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.tuners.lora import config as configs
from safetensors.torch import save_file

import adapters
from common import FIXTURES, load_model, versions, write_json
from steps import fresh

BASE = FIXTURES / "families" / "llama"
FOLDER = FIXTURES / "lora-fields"
IDS = [5, 17, 60, 3, 88, 41]
DEFAULT = dict(task_type="CAUSAL_LM", r=2, lora_alpha=4, target_modules=["q_proj", "v_proj"])
VALUES = {
    "task_type": ["SEQ_CLS"], "peft_type": [], "auto_mapping": [{"base_model_class": "X", "parent_library": "y"}],
    "peft_version": [], "base_model_name_or_path": ["somewhere/else"], "revision": ["main"], "inference_mode": [True],
    "r": [3], "target_modules": [["o_proj"], ".*mlp.down_proj", "all-linear", ["lm_head"], ["embed_tokens"]],
    "exclude_modules": [["v_proj"]], "lora_alpha": [7], "lora_dropout": [0.3], "fan_in_fan_out": [True],
    "bias": ["all", "lora_only"], "use_rslora": [True], "modules_to_save": [["lm_head"], ["norm"], ["embed_tokens"]],
    "init_lora_weights": ["gaussian", "eva", "olora", "pissa", "pissa_niter_400", "corda", "loftq", "orthogonal", "mica",
                          "lora_ga", False],
    "layers_to_transform": [[1], 1], "layers_pattern": ["layers"], "rank_pattern": [{"q_proj": 3}],
    "alpha_pattern": [{"q_proj": 3}], "megatron_config": [{"a": 1}], "megatron_core": ["megatron.other"],
    "trainable_token_indices": [[3, 5], {"lm_head": [7]}], "loftq_config": [{"loftq_bits": 8, "loftq_iter": 1}],
    "eva_config": [configs.EvaConfig()], "corda_config": [configs.CordaConfig()], "lora_ga_config": [configs.LoraGAConfig()],
    "use_dora": [True], "velora_config": [configs.VeloraConfig(num_groups=4)], "alora_invocation_tokens": [[17, 60]],
    "use_qalora": [True], "qalora_group_size": [8], "monteclora_config": [configs.MontecloraConfig()],
    "layer_replication": [[[0, 2], [1, 2]]], "runtime_config": [configs.LoraRuntimeConfig(ephemeral_gpu_offload=True)],
    "lora_bias": [True], "target_parameters": [["mlp.up_proj.weight"]],
    "use_bdlora": [configs.BdLoraConfig(target_modules_bd_a=["q_proj"], target_modules_bd_b=["v_proj"], nblocks=2)],
    "arrow_config": [configs.ArrowConfig()], "kasa_config": [configs.KasaConfig()], "ensure_weight_tying": [True],
}
# what goes with a value
BESIDE = {"layers_pattern": {"layers_to_transform": [1]}, ("init_lora_weights", "loftq"): {
    "loftq_config": {"loftq_bits": 4, "loftq_iter": 1}}, ("init_lora_weights", "pissa_niter_400"): {"r": 6},
    ("init_lora_weights", "pissa"): {"r": 6}}


@torch.no_grad()
def logits(model):
    return model.eval()(input_ids=torch.tensor([IDS]), use_cache=False).logits[0]


def plain_values(value):
    return dataclasses.asdict(value) if dataclasses.is_dataclass(value) else value


def field(name, value, folder):
    settings = {**DEFAULT, **BESIDE.get(name, {}), **(BESIDE.get((name, value), {}) if isinstance(value, str) else {}), name: value}
    torch.manual_seed(3)
    entry = {"field": name, "value": plain_values(value), "folder": folder.name}
    try:
        if (name, value) == ("init_lora_weights", "eva"):
            # data decides A and the ranks; what is loaded afterwards replaces both
            model = get_peft_model(load_model(BASE), LoraConfig(**settings), low_cpu_mem_usage=False)
        else:
            model = get_peft_model(load_model(BASE), LoraConfig(**settings))
        adapters.randomise(model, [], 0.1)
        adapters.save(model, folder)
        made = logits(PeftModel.from_pretrained(load_model(BASE), folder))
        assert made.isfinite().all()
        return entry, made
    except Exception as problem:
        fresh(folder)
        model = get_peft_model(load_model(BASE), LoraConfig(**DEFAULT))
        adapters.randomise(model, [], 0.1)
        adapters.save(model, folder)
        config = json.loads((folder / "adapter_config.json").read_text())
        write_json(folder / "adapter_config.json", {**config, name: plain_values(value)})
        return {**entry, "peft": f"{type(problem).__name__}: {str(problem).splitlines()[0][:100]}"}, None


if __name__ == "__main__":
    warnings.simplefilter("ignore")
    torch.set_num_threads(1)
    fields = {f.name for f in dataclasses.fields(LoraConfig)}
    assert fields == set(VALUES), fields ^ set(VALUES)
    fresh(FOLDER)
    entries, tensors = [], {"input_ids": torch.tensor(IDS, dtype=torch.int32), "base": logits(load_model(BASE))}
    for name, values in VALUES.items():
        for index, value in enumerate(values):
            folder = fresh(FOLDER / (name if index == 0 else f"{name}-{index + 1}"))
            entry, made = field(name, value, folder)
            entries.append(entry)
            if made is not None:
                tensors[folder.name] = made
            print(folder.name, entry.get("peft", "ok"))
    save_file(tensors, FOLDER / "reference.safetensors")
    write_json(FOLDER / "reference.json", {"made_by": "test/reference/lora_fields.py", "base": "families/llama",
                                           "fields": sorted(fields), "cases": entries, "versions": versions()})
