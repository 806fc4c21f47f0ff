"""Writes optimizers.json (parameters after each step, from torch.optim), schedules.json (learning rates, from transformers) and
arguments.json (the names of its TrainingArguments).
Made with torch 2.13.0 and transformers 5.18.0. Usage: python make.py"""
import json
import pathlib

import torch
from transformers import get_scheduler

HERE = pathlib.Path(__file__).parent


def save(name, value):
    (HERE / name).write_text(json.dumps(value, separators=(",", ":")) + "\n")


def optimizer_case(make, steps=12):
    generator = torch.Generator().manual_seed(1)
    draw = lambda: torch.randn(3, 5, generator=generator)
    parameter = torch.nn.Parameter(draw())
    case = {"start": parameter.detach().flatten().tolist(), "shape": [3, 5], "steps": []}
    optimizer = make([parameter])
    for step in range(steps):
        rate = 0.02 * (1 - step / steps)
        for group in optimizer.param_groups:
            group["lr"] = rate
        parameter.grad = draw()
        case["steps"].append({"learningRate": rate, "gradient": parameter.grad.flatten().tolist()})
        optimizer.step()
        case["steps"][-1]["parameter"] = parameter.detach().flatten().tolist()
    return case


save("optimizers.json", {
    "adamw": {**optimizer_case(lambda p: torch.optim.AdamW(p, lr=0.1, betas=(0.85, 0.98), eps=1e-6, weight_decay=0.1)),
              "options": {"adamBeta1": 0.85, "adamBeta2": 0.98, "adamEpsilon": 1e-6, "weightDecay": 0.1}},
    "adamw, defaults": {**optimizer_case(lambda p: torch.optim.AdamW(p, lr=0.1, weight_decay=0.0)), "options": {}},
    "sgd": {**optimizer_case(lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1)), "options": {"optim": "sgd", "weightDecay": 0.1}},
})

CASES = [
    ("linear", 20, 3, {}), ("linear", 20, 0, {}), ("cosine", 20, 3, {}), ("cosine", 20, 3, {"num_cycles": 1.5}), ("constant", 8, 3, {}),
    ("constant_with_warmup", 12, 4, {}), ("polynomial", 20, 3, {}), ("polynomial", 20, 3, {"power": 2.0, "lr_end": 1e-5}),
    ("inverse_sqrt", 20, 3, {}), ("inverse_sqrt", 20, 0, {}), ("inverse_sqrt", 20, 3, {"timescale": 7}),
    ("cosine_with_restarts", 20, 2, {}), ("cosine_with_restarts", 20, 2, {"num_cycles": 3}),
    ("cosine_with_min_lr", 20, 3, {"min_lr": 1e-4}), ("cosine_with_min_lr", 20, 3, {"min_lr_rate": 0.3, "num_cycles": 1.0}),
    ("warmup_stable_decay", 20, 4, {"num_decay_steps": 6}),
    ("warmup_stable_decay", 20, 4, {"num_decay_steps": 6, "warmup_type": "cosine", "decay_type": "linear", "min_lr_ratio": 0.1}),
    ("warmup_stable_decay", 20, 4, {"num_decay_steps": 6, "num_stable_steps": 5, "warmup_type": "1-sqrt", "decay_type": "1-sqrt"}),
]


def schedule_case(name, total, warmup, kwargs):
    optimizer = torch.optim.SGD([torch.nn.Parameter(torch.zeros(1))], lr=1e-3)
    scheduler = get_scheduler(name, optimizer, num_warmup_steps=warmup, num_training_steps=total, scheduler_specific_kwargs=dict(kwargs))
    rates = []
    for _ in range(total):
        rates.append(optimizer.param_groups[0]["lr"])
        optimizer.step()
        scheduler.step()
    return {"name": name, "totalSteps": total, "warmupSteps": warmup, "arguments": kwargs, "learningRates": rates}


save("schedules.json", [schedule_case(*case) for case in CASES])


def camel(name):
    first, *rest = name.split("_")
    return first + "".join(part.capitalize() for part in rest)


from dataclasses import fields  # noqa: E402
from transformers import TrainingArguments  # noqa: E402

save("arguments.json", [camel(field.name) for field in fields(TrainingArguments)])
