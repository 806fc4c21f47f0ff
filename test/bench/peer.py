"""The benchmark's peer: finetuning steps by PyTorch + transformers + PEFT, driven by JSON lines on stdin so that the
bench can take turns: prints {"ready"} once loaded, then one line for each {"command": "step"}, until {"command": "exit"}.
Usage: python peer.py --model DIR --method lora|full [--rank 8 --length 512 --batch 1 --checkpointing --threads 2 ...]"""
import argparse
import json
import os
import resource
import sys
import time

started = time.perf_counter()
os.environ.setdefault("HF_HUB_OFFLINE", "1")

parser = argparse.ArgumentParser()
parser.add_argument("--model", required=True)
parser.add_argument("--method", choices=["lora", "full"], default="lora")
parser.add_argument("--rank", type=int, default=8)
parser.add_argument("--length", type=int, default=512)
parser.add_argument("--batch", type=int, default=1)
parser.add_argument("--checkpointing", action="store_true", help="recompute every block in the backward pass")
parser.add_argument("--threads", type=int, default=2)
parser.add_argument("--lr", type=float, default=1e-4)
parser.add_argument("--dtype", default="float32", choices=["float32", "bfloat16"])
parser.add_argument("--optimizer", default="fused", choices=["fused", "foreach", "loop"],
                    help="AdamW's implementation; fused is the Trainer's own default and the fastest")
parser.add_argument("--seed", type=int, default=0)
arguments = parser.parse_args()
os.environ["OMP_NUM_THREADS"] = str(arguments.threads)

import peft
import torch
import transformers

torch.set_num_threads(arguments.threads)
torch.manual_seed(arguments.seed)
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def load():
    model = transformers.AutoModelForCausalLM.from_pretrained(
        arguments.model, dtype=getattr(torch, arguments.dtype), attn_implementation="sdpa")
    if arguments.checkpointing:
        model.gradient_checkpointing_enable({"use_reentrant": False})
    if arguments.method == "lora":
        model = peft.get_peft_model(model, peft.LoraConfig(
            task_type="CAUSAL_LM", r=arguments.rank, lora_alpha=2 * arguments.rank, lora_dropout=0.0,
            target_modules="all-linear"))
    model.train()
    trainable = [p for p in model.parameters() if p.requires_grad]
    how = {"fused": {"fused": True}, "foreach": {"foreach": True}, "loop": {"foreach": False}}[arguments.optimizer]
    return model, trainable, torch.optim.AdamW(trainable, lr=arguments.lr, weight_decay=0.0, **how)


def step(model, trainable, optimizer, generator):
    ids = torch.randint(3, model.config.vocab_size, (arguments.batch, arguments.length), generator=generator)
    begin = time.perf_counter()
    loss = model(input_ids=ids, labels=ids, use_cache=False).loss
    loss.backward()
    torch.nn.utils.clip_grad_norm_(trainable, 1.0)
    optimizer.step()
    optimizer.zero_grad()
    loss = loss.item()
    return time.perf_counter() - begin, loss


def peak_rss():
    return resource.getrusage(resource.RUSAGE_SELF).ru_maxrss * 1024


def tell(**line):
    print(json.dumps(line), flush=True)


model, trainable, optimizer = load()
generator = torch.Generator().manual_seed(arguments.seed)
tell(ready=True, load_seconds=time.perf_counter() - started, peak_rss_bytes=peak_rss(),
     parameters=sum(p.numel() for p in model.parameters()), trainable=sum(p.numel() for p in trainable),
     versions={"python": sys.version.split()[0], "torch": torch.__version__, "transformers": transformers.__version__,
               "peft": peft.__version__})
for line in sys.stdin:
    command = json.loads(line)["command"] if line.strip() else None
    if command == "step":
        seconds, loss = step(model, trainable, optimizer, generator)
        tell(seconds=seconds, loss=loss, peak_rss_bytes=peak_rss())
    elif command == "exit":
        break
    elif command:
        tell(error=f"unknown command {command!r}")
