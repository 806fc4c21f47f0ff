"""Writes test/fixtures/families/<name>: tiny random models made with transformers, with logits, loss and gradients.
Weights are large, norms away from 1 and biases away from 0, so that no gradient is near 0 by accident.
Usage: python families.py [name ...]"""
import json
import shutil
import sys

import torch
from safetensors.torch import save_file
from transformers import (AutoModelForCausalLM, GenerationConfig, GPT2Config, LlamaConfig, MistralConfig,
                          Qwen2Config, Qwen3Config)

from common import FIXTURES, load_model, versions, write_json

SEED, LENGTH, VOCAB = 20, 24, 96
SIZES = dict(vocab_size=VOCAB, hidden_size=32, intermediate_size=56, num_hidden_layers=2, num_attention_heads=4,
             num_key_value_heads=2, max_position_embeddings=64, bos_token_id=1, eos_token_id=2, pad_token_id=0)


def llama(**options):
    return LlamaConfig(**{**SIZES, "tie_word_embeddings": False, **options})


def rope(kind, **options):
    return {"rope_type": kind, "rope_theta": 100.0, **options}


FAMILIES = {
    "llama": llama(),
    "llama-tied": llama(tie_word_embeddings=True),
    "llama-linear": llama(rope_parameters=rope("linear", factor=2.5)),
    # 24 tokens are more than the 16 it was made for, so the base is stretched
    "llama-dynamic": llama(max_position_embeddings=16, rope_parameters=rope("dynamic", factor=2.0)),
    "llama-yarn": llama(max_position_embeddings=128, rope_parameters=rope(
        "yarn", factor=4.0, original_max_position_embeddings=32)),
    "llama-llama3": llama(max_position_embeddings=512, rope_parameters=rope(
        "llama3", factor=8.0, low_freq_factor=1.0, high_freq_factor=4.0, original_max_position_embeddings=64)),
    "mistral": MistralConfig(**SIZES, tie_word_embeddings=False, sliding_window=8),
    "qwen2": Qwen2Config(**SIZES, tie_word_embeddings=True),
    "qwen3": Qwen3Config(**{**SIZES, "intermediate_size": 40}, head_dim=16, tie_word_embeddings=False),
    "gpt2": GPT2Config(vocab_size=VOCAB, n_positions=32, n_embd=32, n_layer=2, n_head=4, n_inner=96, bos_token_id=1,
                       eos_token_id=2, pad_token_id=0, resid_pdrop=0.0, embd_pdrop=0.0, attn_pdrop=0.0),
}


def randomise(model):
    generator = torch.Generator().manual_seed(SEED)
    normal = lambda p: torch.randn(p.shape, generator=generator)
    with torch.no_grad():
        for name, p in model.named_parameters():
            norm = "norm" in name or ".ln_" in name
            embedding = "embed" in name or ".wte" in name or ".wpe" in name
            if norm and name.endswith("weight"):
                p.copy_(1 + 0.2 * normal(p))
            else:
                p.copy_((0.4 if embedding else 0.2) * normal(p))


def batch(length=LENGTH):
    """Two rows: one whole, with some labels masked; one with a masked prompt, right-padded."""
    generator = torch.Generator().manual_seed(SEED + length)
    input_ids = torch.randint(3, VOCAB, (2, length), generator=generator)
    labels = input_ids.clone()
    labels[0, length // 3:length // 2] = -100
    end = length - length // 4
    labels[1, :length // 4] = -100
    labels[1, end:] = -100
    attention_mask = torch.ones_like(input_ids)
    attention_mask[1, end:] = 0
    input_ids[1, end:] = 0
    return {"input_ids": input_ids, "labels": labels, "attention_mask": attention_mask}


def reference(folder, gradients, inputs=None):
    model = load_model(folder).eval()
    inputs = inputs or batch()
    out = model(**inputs, use_cache=False)
    tensors = {k: v.to(torch.int32) for k, v in inputs.items()}
    tensors["logits"] = out.logits.detach()
    norms = {}
    if gradients:
        out.loss.backward()
        for name, p in model.named_parameters():
            tensors[f"grad.{name}"] = p.grad
            norms[name] = p.grad.norm().item()
    return tensors, {"loss": out.loss.item(), "gradient_norms": norms}


def legacy_config(config):
    """The same model as transformers 4 wrote it: rope_theta and rope_scaling, torch_dtype."""
    old = dict(config)
    old["torch_dtype"] = old.pop("dtype")
    old["transformers_version"] = "4.40.0"
    old.pop("layer_types", None)
    if "rope_parameters" in old:
        scaling = dict(old.pop("rope_parameters"))
        old["rope_theta"] = scaling.pop("rope_theta")
        kind = scaling.pop("rope_type")
        # Llama 3.1 came with the key "rope_type"; before it the key was "type"
        key = "rope_type" if kind == "llama3" else "type"
        old["rope_scaling"] = None if kind == "default" else {key: kind, **scaling}
    return old


def check_legacy(folder, logits):
    """The legacy config has to give the same logits."""
    twin = folder / "legacy"
    twin.mkdir()
    shutil.copy(folder / "model.safetensors", twin)
    shutil.copy(folder / "config.legacy.json", twin / "config.json")
    again = reference(twin, gradients=False)[0]["logits"]
    shutil.rmtree(twin)
    assert torch.equal(again, logits), folder


def fresh(name):
    folder = FIXTURES / "families" / name
    shutil.rmtree(folder, ignore_errors=True)
    folder.mkdir(parents=True)
    return folder


def finish(folder, tensors, report, **more):
    save_file(tensors, folder / "reference.safetensors")
    write_json(folder / "reference.json", {"made_by": "test/reference/families.py", "seed": SEED, **report, **more,
                                           "attention": "eager", "dtype": "float32", "versions": versions()})
    print(f"{folder.name:14} loss {report['loss']:.6f}  logits up to {tensors['logits'].abs().max():.2f}  smallest "
          f"gradient norm {min(report['gradient_norms'].values(), default=0):.2e}  "
          f"{sum(f.stat().st_size for f in folder.iterdir()) / 1000:.0f} kB")


def make(name, config):
    folder = fresh(name)
    model = AutoModelForCausalLM.from_config(config, attn_implementation="eager", dtype=torch.float32)
    randomise(model)
    model.save_pretrained(folder)
    tensors, report = reference(folder, gradients=True)
    write_json(folder / "config.legacy.json", legacy_config(json.loads((folder / "config.json").read_text())))
    check_legacy(folder, tensors["logits"])
    if name == "llama-dynamic":  # and a sequence short enough to leave the base alone
        short = batch(12)
        made = reference(folder, gradients=False, inputs=short)
        tensors.update({f"short.{k}": v for k, v in made[0].items()})
        report["short_loss"] = made[1]["loss"]
    finish(folder, tensors, report)
    return model


def variants(model):
    """The llama again: in two shards, in bfloat16, in float16; logits in float32 from the stored weights."""
    folder = fresh("llama-sharded")
    model.generation_config = GenerationConfig(bos_token_id=1, eos_token_id=[2, 3], pad_token_id=0, do_sample=True,
                                               temperature=0.6, top_p=0.9)
    model.save_pretrained(folder, max_shard_size="55KB")
    assert len(list(folder.glob("model-*-of-00002.safetensors"))) == 2, list(folder.iterdir())
    finish(folder, *reference(folder, gradients=False))
    for name, dtype in ("llama-bf16", torch.bfloat16), ("llama-f16", torch.float16):
        folder = fresh(name)
        copy = load_model(FIXTURES / "families" / "llama", dtype=dtype)
        copy.save_pretrained(folder)
        finish(folder, *reference(folder, gradients=False), weights=str(dtype).removeprefix("torch."))


if __name__ == "__main__":
    torch.set_num_threads(1)
    chosen = sys.argv[1:] or FAMILIES
    for name in chosen:
        model = make(name, FAMILIES[name])
        if name == "llama":
            variants(model)
