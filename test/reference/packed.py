"""Writes test/fixtures/packed/llama: a tiny random llama in the format pack-quantized of compressed-tensors, with logits and the numbers that
the codes stand for. The format is written down here from its documentation and sources (the library was not at hand): codes plus
2^(bits-1), the first in the lowest bits of an int32, along the columns; zero points likewise, but along the rows.
Usage: python packed.py"""
import shutil

import torch
from safetensors.torch import save_file
from transformers import AutoModelForCausalLM

from common import FIXTURES, versions, write_json
from families import LENGTH, VOCAB, llama, randomise

FOLDER = FIXTURES / "packed" / "llama"


def arguments(bits, symmetric=True, group=None):
    return dict(num_bits=bits, type="int", symmetric=symmetric, strategy="group" if group else "channel", group_size=group or -1,
                block_structure=None, dynamic=False, actorder=None, observer="minmax", observer_kwargs={})


def group(targets, weights):
    return dict(targets=targets, weights=weights, input_activations=None, output_activations=None, format="pack-quantized")


GROUPS = {
    "group_0": group(["Linear"], arguments(4, group=16)),
    "group_1": group(["re:.*down_proj$"], arguments(4, symmetric=False, group=32)),
    "group_2": group(["re:.*v_proj$"], arguments(8, symmetric=False, group=16)),
    "group_3": group(["lm_head"], arguments(8)),
}
IGNORED = ["model.layers.1.self_attn.o_proj"]


def scheme(name):
    if name in IGNORED:
        return None
    for ending, key in (("down_proj", "group_1"), ("v_proj", "group_2"), ("lm_head", "group_3")):
        if name.endswith(ending):
            return GROUPS[key]["weights"]
    return GROUPS["group_0"]["weights"]


def pack(codes, bits):
    """Unsigned codes [rows, columns] as int32 [rows, columns x bits / 32], rounded up."""
    each = 32 // bits
    rows, columns = codes.shape
    words = []
    for start in range(0, columns, each):
        word = torch.zeros(rows, dtype=torch.int64)
        for place, column in enumerate(range(start, min(start + each, columns))):
            word |= codes[:, column].to(torch.int64) << (bits * place)
        words.append(torch.where(word >= 2**31, word - 2**32, word))
    return torch.stack(words, 1).to(torch.int32)


def quantize(weight, args, scale_dtype):
    """Codes (unsigned), scales, zero points (unsigned) or None, and the numbers, rounded to nearest."""
    bits, size = args["num_bits"], weight.shape[1] if args["strategy"] == "channel" else args["group_size"]
    blocks = weight.reshape(weight.shape[0], -1, size)
    middle, largest = 2 ** (bits - 1), 2**bits - 1
    if args["symmetric"]:
        scale = (blocks.abs().amax(2) / (middle - 0.5)).to(scale_dtype)
        zero = torch.full_like(scale, middle, dtype=torch.int64)
    else:
        low, high = blocks.amin(2).clamp(max=0), blocks.amax(2).clamp(min=0)
        scale = ((high - low) / largest).to(scale_dtype)
        zero = (-low / scale.float()).round().clamp(0, largest).to(torch.int64)
    codes = ((blocks / scale.float()[..., None]).round() + zero[..., None]).clamp(0, largest)
    numbers = ((codes - zero[..., None]) * scale.float()[..., None]).reshape(weight.shape)
    return codes.reshape(weight.shape).to(torch.int64), scale, None if args["symmetric"] else zero, numbers


def main():
    shutil.rmtree(FOLDER, ignore_errors=True)
    FOLDER.mkdir(parents=True)
    model = AutoModelForCausalLM.from_config(llama(intermediate_size=64), attn_implementation="eager").eval()
    randomise(model)
    tensors, numbers = {}, {}
    with torch.no_grad():
        for name, parameter in model.named_parameters():
            module = name.removesuffix(".weight")
            args = scheme(module) if module.endswith(("_proj", "lm_head")) else None
            if args is None:
                tensors[name] = parameter.detach().clone()
                continue
            codes, scale, zero, dequantized = quantize(parameter, args, torch.bfloat16 if module.endswith("up_proj") else torch.float32)
            tensors[f"{name}_packed"] = pack(codes, args["num_bits"])
            tensors[f"{name}_scale"] = scale
            tensors[f"{name}_shape"] = torch.tensor(parameter.shape)
            if zero is not None:
                tensors[f"{name}_zero_point"] = pack(zero.T, args["num_bits"]).T.contiguous()
            parameter.copy_(dequantized)
            if ".layers.0." in name or module == "lm_head":
                numbers[f"numbers.{name}"] = dequantized
        ids = torch.randint(3, VOCAB, (2, LENGTH), generator=torch.Generator().manual_seed(7))
        logits = model(input_ids=ids).logits
        greedy = model.generate(ids[:, :8], max_new_tokens=16, do_sample=False, eos_token_id=None)[:, 8:]
    save_file(tensors, FOLDER / "model.safetensors", {"format": "pt"})
    save_file({"input_ids": ids.to(torch.int32), "logits": logits, "greedy": greedy.to(torch.int32).contiguous(), **numbers}, FOLDER / "reference.safetensors")
    config = model.config.to_diff_dict()
    config["quantization_config"] = dict(config_groups=GROUPS, format="pack-quantized", global_compression_ratio=None, ignore=IGNORED,
                                         kv_cache_scheme=None, quant_method="compressed-tensors", quantization_status="compressed")
    config["architectures"] = ["LlamaForCausalLM"]
    write_json(FOLDER / "config.json", config)
    write_json(FOLDER / "reference.json", {"versions": versions()})


if __name__ == "__main__":
    main()
