"""Writes a Llama checkpoint of any shape with random weights (seeded, std 0.02, norms 1), shard by shard, so that memory
never holds more than one shard. No tokenizer: for benchmarks and memory tests on random token ids.
Usage: python random_llama.py DIR [--hidden 576 --layers 30 --heads 9 --kv-heads 3 --mlp 1536 --vocab 49152 --untied]
                              [--dtype float32|bfloat16|float16] [--shard-bytes 1000000000] [--seed 0]"""
import argparse
import json
from math import prod
from pathlib import Path

import torch
from safetensors.torch import save_file


def shapes(a):
    head = a.head_dim or a.hidden // a.heads
    yield "model.embed_tokens.weight", (a.vocab, a.hidden)
    for i in range(a.layers):
        layer = f"model.layers.{i}"
        yield f"{layer}.input_layernorm.weight", (a.hidden,)
        yield f"{layer}.self_attn.q_proj.weight", (a.heads * head, a.hidden)
        yield f"{layer}.self_attn.k_proj.weight", (a.kv_heads * head, a.hidden)
        yield f"{layer}.self_attn.v_proj.weight", (a.kv_heads * head, a.hidden)
        yield f"{layer}.self_attn.o_proj.weight", (a.hidden, a.heads * head)
        yield f"{layer}.post_attention_layernorm.weight", (a.hidden,)
        yield f"{layer}.mlp.gate_proj.weight", (a.mlp, a.hidden)
        yield f"{layer}.mlp.up_proj.weight", (a.mlp, a.hidden)
        yield f"{layer}.mlp.down_proj.weight", (a.hidden, a.mlp)
    yield "model.norm.weight", (a.hidden,)
    if a.untied:
        yield "lm_head.weight", (a.vocab, a.hidden)


def config(a):
    return {
        "architectures": ["LlamaForCausalLM"], "model_type": "llama", "hidden_size": a.hidden,
        "intermediate_size": a.mlp, "num_hidden_layers": a.layers, "num_attention_heads": a.heads,
        "num_key_value_heads": a.kv_heads, "head_dim": a.head_dim or a.hidden // a.heads, "vocab_size": a.vocab,
        "max_position_embeddings": a.positions, "rms_norm_eps": 1e-5, "rope_theta": 10000.0, "hidden_act": "silu",
        "tie_word_embeddings": not a.untied, "attention_bias": False, "mlp_bias": False, "bos_token_id": 1,
        "eos_token_id": 2, "torch_dtype": a.dtype,
    }


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("folder", type=Path)
    for name, value in dict(hidden=576, layers=30, heads=9, kv_heads=3, mlp=1536, vocab=49152, positions=2048, head_dim=0,
                            seed=0, shard_bytes=1_000_000_000).items():
        parser.add_argument(f"--{name.replace('_', '-')}", type=int, default=value)
    parser.add_argument("--untied", action="store_true")
    parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16", "float16"])
    a = parser.parse_args()
    a.folder.mkdir(parents=True, exist_ok=True)
    dtype = getattr(torch, a.dtype)

    shards, sizes = [{}], [0]
    for name, shape in shapes(a):
        size = prod(shape) * dtype.itemsize
        if sizes[-1] and sizes[-1] + size > a.shard_bytes:
            shards.append({})
            sizes.append(0)
        shards[-1][name] = shape
        sizes[-1] += size

    generator = torch.Generator().manual_seed(a.seed)
    files = {}
    for i, shard in enumerate(shards):
        file = "model.safetensors" if len(shards) == 1 else f"model-{i + 1:05}-of-{len(shards):05}.safetensors"
        tensors = {name: torch.ones(shape, dtype=dtype) if len(shape) == 1
                   else torch.randn(shape, generator=generator).mul_(0.02).to(dtype) for name, shape in shard.items()}
        save_file(tensors, a.folder / file, metadata={"format": "pt"})
        files.update(dict.fromkeys(shard, file))
    if len(shards) > 1:
        (a.folder / "model.safetensors.index.json").write_text(
            json.dumps({"metadata": {"total_size": sum(sizes)}, "weight_map": files}, indent=2) + "\n")
    (a.folder / "config.json").write_text(json.dumps(config(a), indent=2) + "\n")
    parameters = sum(prod(shape) for _, shape in shapes(a))
    print(json.dumps({"folder": str(a.folder), "parameters": parameters, "bytes": sum(sizes), "shards": len(shards)}))


if __name__ == "__main__":
    main()
