"""Finetunes a model with PyTorch + PEFT in float32 on exactly the samples, order and settings of a JSON file.
Prints JSON lines: the evaluation loss before, each step's loss, gradient norm and learning rate, the evaluation loss after.
Usage: python peft_finetune.py MODEL RUN.json [--init ADAPTER] [--output DIR] [--threads N]

RUN.json: {"train": [{"input_ids", "labels"}], "evaluation": [same], "order": [[sample indices of a step's batch]...],
"settings": {"learning_rate", "weight_decay", "adam_beta1", "adam_beta2", "adam_epsilon", "schedule", "schedule_options",
"warmup_steps", "max_grad_norm", "micro_batch", "seed", "init_adapter",
"lora": null for full, or PEFT's {"r", "alpha", "dropout", "target_modules", "modules_to_save", "rank_pattern", ...}}}"""
import argparse
import json
import random
import sys

import torch
from peft import LoraConfig, PeftModel, get_peft_model
from peft.optimizers import create_loraplus_optimizer
from transformers import Trainer, get_scheduler

from common import load_model, pad, summed_loss, versions

DEFAULTS = {"learning_rate": 5e-5, "weight_decay": 0.0, "adam_beta1": 0.9, "adam_beta2": 0.999, "adam_epsilon": 1e-8,
            "schedule": "linear", "schedule_options": None, "warmup_steps": 0, "max_grad_norm": 1.0,
            "micro_batch": None, "seed": 42, "init_adapter": None, "loraplus_lr_ratio": None,
            "loraplus_lr_embedding": None, "lora": None}


def with_defaults(settings):
    unknown = set(settings) - set(DEFAULTS)
    if unknown:
        raise SystemExit(f"unknown settings: {', '.join(sorted(unknown))}")
    return {**DEFAULTS, **settings}


def with_lora(model, lora, init=None):
    if init:
        return PeftModel.from_pretrained(model, init, is_trainable=True)
    lora = dict(lora)
    names = {"alpha": "lora_alpha", "dropout": "lora_dropout"}
    return get_peft_model(model, LoraConfig(task_type="CAUSAL_LM", **{names.get(k, k): v for k, v in lora.items()}))


def make_optimizer(model, settings):
    """AdamW with the Trainer's two groups: no weight decay on biases and norms."""
    if settings["loraplus_lr_ratio"]:
        return create_loraplus_optimizer(
            model, torch.optim.AdamW, lr=settings["learning_rate"], loraplus_lr_ratio=settings["loraplus_lr_ratio"],
            loraplus_weight_decay=settings["weight_decay"],
            **({"loraplus_lr_embedding": settings["loraplus_lr_embedding"]} if settings["loraplus_lr_embedding"] else {}),
            eps=settings["adam_epsilon"], betas=(settings["adam_beta1"], settings["adam_beta2"]))
    decayed = set(Trainer.get_decay_parameter_names(None, model))
    trainable = [(n, p) for n, p in model.named_parameters() if p.requires_grad]
    groups = [
        {"params": [p for n, p in trainable if n in decayed], "weight_decay": settings["weight_decay"]},
        {"params": [p for n, p in trainable if n not in decayed], "weight_decay": 0.0},
    ]
    return torch.optim.AdamW(groups, lr=settings["learning_rate"], eps=settings["adam_epsilon"],
                             betas=(settings["adam_beta1"], settings["adam_beta2"]))


def chunks(samples, size):
    return [samples[i:i + size] for i in range(0, len(samples), size)]


@torch.no_grad()
def evaluate(model, samples, size=8):
    """The mean over all labelled tokens of the set."""
    was_training = model.training
    model.eval()
    total = count = 0
    for part in chunks(sorted(samples, key=lambda s: len(s["input_ids"])), size):
        inputs = pad(part)
        labels = inputs.pop("labels")
        loss, n = summed_loss(model(**inputs, use_cache=False).logits, labels)
        total, count = total + loss.item(), count + n
    model.train(was_training)
    return total / count


def train(model, samples, order, settings):
    """One step per entry of order, its loss the mean over all labelled tokens of the step; yields what happened."""
    model.train()
    optimizer = make_optimizer(model, settings)
    scheduler = get_scheduler(settings["schedule"], optimizer, settings["warmup_steps"], len(order),
                              settings["schedule_options"])
    trainable = [p for p in model.parameters() if p.requires_grad]
    for step, indices in enumerate(order):
        chosen = [samples[i] for i in indices]
        count = sum(label != -100 for s in chosen for label in s["labels"][1:])
        loss = 0.0
        for part in chunks(chosen, settings["micro_batch"] or len(chosen)):
            inputs = pad(part)
            labels = inputs.pop("labels")
            total = summed_loss(model(**inputs, use_cache=False).logits, labels)[0] / count
            total.backward()
            loss += total.item()
        norm = torch.nn.utils.clip_grad_norm_(trainable, settings["max_grad_norm"] or float("inf"))
        learning_rate = scheduler.get_last_lr()[0]
        optimizer.step()
        scheduler.step()
        optimizer.zero_grad()
        yield {"step": step + 1, "loss": loss, "grad_norm": norm.item(), "learning_rate": learning_rate,
               "tokens": count}


def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("model")
    parser.add_argument("run")
    parser.add_argument("--init", help="a PEFT adapter to start from")
    parser.add_argument("--output", help="where to save the adapter or the model")
    parser.add_argument("--threads", type=int)
    arguments = parser.parse_args()
    if arguments.threads:
        torch.set_num_threads(arguments.threads)
    with open(sys.stdin.fileno() if arguments.run == "-" else arguments.run) as file:
        run = json.load(file)
    settings = with_defaults(run["settings"])
    random.seed(settings["seed"])
    torch.manual_seed(settings["seed"])
    tell = lambda line: print(json.dumps(line), flush=True)

    model = load_model(arguments.model)
    init = arguments.init or settings["init_adapter"]
    if settings["lora"] or init:
        model = with_lora(model, settings["lora"], init)
    tell({"versions": versions(), "trainable": sum(p.numel() for p in model.parameters() if p.requires_grad),
          "parameters": sum(p.numel() for p in model.parameters())})
    if run.get("evaluation"):
        tell({"step": 0, "evaluation_loss": evaluate(model, run["evaluation"])})
    for line in train(model, run["train"], run["order"], settings):
        tell(line)
    if run.get("evaluation"):
        tell({"step": len(run["order"]), "evaluation_loss": evaluate(model, run["evaluation"])})
    if arguments.output:
        model.save_pretrained(arguments.output)


if __name__ == "__main__":
    main()
