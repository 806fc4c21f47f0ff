"""Writes optimizers-20.json: 20 steps of every optimizer beside AdamW and plain SGD (those are in make.py).
Adam, SGD, RAdam, NAdam, Muon are torch.optim's; Adafactor is transformers'; Lion, Adan, LAMB are timm's. AdamWScheduleFree and SophiaG are their authors',
read from the folder that is given: it has adamw_schedulefree.py of facebookresearch/schedule_free and sophia.py of Liuhong99/Sophia.
8-bit AdamW is a transcription of bitsandbytes' create_dynamic_map and kOptimizerStatic8bit2StateBlockwise (block 256), whose kernel needs a GPU.
Made with torch 2.13.0, transformers 5.18.0, timm 1.0.29 (pip install --no-deps), schedule_free at b3be06f, Sophia at 195a786.
Usage: python make_optimizers.py FOLDER"""
import importlib.util
import json
import math
import pathlib
import sys
import types

import numpy
import torch
import torch.optim._muon as torch_muon
from transformers.optimization import Adafactor

# The files of timm's optimizers need nothing else; its packages, when imported, want torchvision.
timm = pathlib.Path(importlib.util.find_spec("timm").origin).parent
for package, folder in (("timm", timm), ("timm.optim", timm / "optim")):
    sys.modules[package] = types.ModuleType(package)
    sys.modules[package].__path__ = [str(folder)]
from timm.optim.adan import Adan
from timm.optim.lamb import Lamb
from timm.optim.lion import Lion

sys.path.insert(0, sys.argv[1])
from adamw_schedulefree import AdamWScheduleFree
from sophia import SophiaG

HERE = pathlib.Path(__file__).parent
STEPS = 20


def numbers(shape, seed):
    """The test makes the same ones."""
    size = math.prod(shape)
    return torch.tensor([math.sin(12.9898 * (index + 1) + 78.233 * (seed + 1)) for index in range(size)], dtype=torch.float64).to(torch.float32).reshape(shape)


class Rule(torch.optim.Optimizer):
    """An optimizer given by one function of (parameter, gradient, state, group)."""

    def __init__(self, params, rule, **group):
        super().__init__(params, group)
        self.rule = rule

    @torch.no_grad()
    def step(self):
        for group in self.param_groups:
            for p in group["params"]:
                state = self.state[p]
                state["step"] = state.get("step", 0) + 1
                self.rule(p, p.grad, state, group)


def dynamic_map(signed):
    data = []
    non_sign_bits = 7
    for i in range(7):
        fraction_items = int(2 ** (i + non_sign_bits - 7) + 1 if signed else 2 ** (i + non_sign_bits - 7 + 1) + 1)
        boundaries = torch.linspace(0.1, 1, fraction_items, dtype=torch.float64)
        means = (boundaries[:-1] + boundaries[1:]) / 2.0
        data += ((10 ** (-6 + i)) * means).tolist()
        if signed:
            data += (-(10 ** (-6 + i)) * means).tolist()
    data += [0, 1.0]
    assert len(data) == 256
    return numpy.array(sorted(data), dtype=numpy.float32)


MAPS = {True: dynamic_map(True), False: dynamic_map(False)}


def quantize(values, signed):
    """Codes and scales of blocks of 256, dequantized."""
    result = numpy.zeros_like(values)
    code = MAPS[signed].astype(numpy.float64)
    for start in range(0, len(values), 256):
        block = values[start:start + 256]
        largest = numpy.abs(block).max()
        index = numpy.searchsorted((code[1:] + code[:-1]) / 2, block.astype(numpy.float64) / largest)
        if signed:
            index = numpy.where((MAPS[signed][index] == 0) & (block < 0), index - 1, index)
        result[start:start + 256] = MAPS[signed][index] * largest
    return result


def adamw_8bit(p, g, state, group):
    """In float64 on the way, float32 where it is stored, so that codes do not depend on roundings."""
    beta1, beta2 = group["betas"]
    step, lr = state["step"], group["lr"]
    zero = numpy.zeros(p.numel(), dtype=numpy.float32)
    m, v = state.get("m", zero).astype(numpy.float64), state.get("v", zero).astype(numpy.float64)
    g = g.numpy().astype(numpy.float64)
    m = m * beta1 + (1 - beta1) * g
    v = v * beta2 + (1 - beta2) * g * g
    correction1, correction2 = 1 - beta1**step, math.sqrt(1 - beta2**step)
    step_size = -lr * correction2 / correction1
    new = p.numpy().astype(numpy.float64) + step_size * (m / (numpy.sqrt(v) + correction2 * group["eps"]))
    p.copy_(torch.from_numpy((new * (1 - lr * group["weight_decay"])).astype(numpy.float32)))
    state["m"] = quantize(m.astype(numpy.float32), True)
    state["v"] = quantize(v.astype(numpy.float32), False)


def newton_schulz(grad, coefficients, steps, eps):
    """torch's _zeropower_via_newtonschulz in float32: it computes in bfloat16."""
    a, b, c = coefficients
    x = grad.clone()
    if grad.size(0) > grad.size(1):
        x = x.T
    x = x / x.norm().clamp(min=eps)
    for _ in range(steps):
        gram = x @ x.T
        x = torch.addmm(x, torch.addmm(gram, gram, gram, beta=b, alpha=c), x, beta=a)
    return x.T if grad.size(0) > grad.size(1) else x


torch_muon._zeropower_via_newtonschulz = newton_schulz


def case(shape, make, options, name="p", every=1, averages=False, k=0, weight=0):
    """`averages`: it evaluates other weights than it trains. `k`: it estimates curvature every k steps, from the gradient of a mean over `weight`."""
    parameter = torch.nn.Parameter(numbers(shape, 0))
    optimizer = make([parameter])
    result = {"name": name, "shape": list(shape), "options": options, "weight": weight, "steps": {}}
    if averages:
        optimizer.train()
    for step in range(STEPS):
        for group in optimizer.param_groups:
            group["lr"] = 0.02 * (1 - step / STEPS)
        if k and step % k == 0:
            parameter.grad = numbers(shape, 100 + step + 1)
            optimizer.update_hessian()
        parameter.grad = numbers(shape, step + 1)
        optimizer.step(bs=weight) if k else optimizer.step()
        if (step + 1) % every == 0:
            p = parameter.detach()
            entry = {"parameter": rounded(p)}
            if averages:
                trained = p.clone()
                optimizer.eval()
                entry["evaluation"] = rounded(p)
                optimizer.train()
                p.copy_(trained)
            result["steps"][step + 1] = entry
    return result


def rounded(tensor):
    return [float(f"{x:.8g}") for x in tensor.flatten().tolist()]


BETAS = {"adamBeta1": 0.85, "adamBeta2": 0.98}
ADAM = {**BETAS, "adamEpsilon": 1e-6, "weightDecay": 0.1}
torch_adam = dict(lr=0.1, betas=(0.85, 0.98), eps=1e-6, weight_decay=0.1)
rule = lambda function, **group: lambda p: Rule(p, function, **{**torch_adam, **group})
M, TALL, V = (3, 5), (6, 4), (7,)

(HERE / "optimizers-20.json").write_text(json.dumps({
    "adam": case(M, lambda p: torch.optim.Adam(p, **torch_adam), {"optim": "adam", **ADAM}),
    "sgd, momentum": case(M, lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1, momentum=0.9, dampening=0.2),
                          {"optim": "sgd", "weightDecay": 0.1, "optimArgs": "momentum=0.9, dampening=0.2"}),
    "sgd, nesterov": case(V, lambda p: torch.optim.SGD(p, lr=0.1, weight_decay=0.1, momentum=0.8, nesterov=True),
                          {"optim": "sgd", "weightDecay": 0.1, "optimArgs": {"momentum": 0.8, "nesterov": True}}),
    "adafactor": case(M, lambda p: Adafactor(p, lr=0.1, scale_parameter=False, relative_step=False, weight_decay=0.1), {"optim": "adafactor", "weightDecay": 0.1}),
    "adafactor, vector": case(V, lambda p: Adafactor(p, lr=0.1, scale_parameter=False, relative_step=False, weight_decay=0.1), {"optim": "adafactor", "weightDecay": 0.1}),
    "adafactor, all arguments": case(
        M, lambda p: Adafactor(p, lr=0.1, eps=(1e-10, 0.8), clip_threshold=0.7, decay_rate=-0.6, beta1=0.9, scale_parameter=True, relative_step=False, weight_decay=0.1),
        {"optim": "adafactor", "weightDecay": 0.1, "optimArgs": "eps1=1e-10,eps2=0.8,clip_threshold=0.7,decay_rate=-0.6,beta1=0.9,scale_parameter=true"}),
    "lion": case(M, lambda p: Lion(p, lr=0.1, betas=(0.85, 0.98), weight_decay=0.1), {"optim": "lion_32bit", **BETAS, "weightDecay": 0.1}),
    "adan": case(M, lambda p: Adan(p, lr=0.1, weight_decay=0.1), {"optim": "adan", "weightDecay": 0.1}),
    "adan, no_prox": case(V, lambda p: Adan(p, lr=0.1, betas=(0.9, 0.8, 0.95), eps=1e-6, weight_decay=0.1, no_prox=True),
                          {"optim": "adan", "weightDecay": 0.1, "optimArgs": "beta1=0.9,beta2=0.8,beta3=0.95,eps=1e-6,no_prox=true"}),
    "radam": case(M, lambda p: torch.optim.RAdam(p, **torch_adam), {"optim": "radam", **ADAM}),
    "radam, decoupled": case(M, lambda p: torch.optim.RAdam(p, **torch_adam, decoupled_weight_decay=True),
                             {"optim": "radam", **ADAM, "optimArgs": {"decoupledWeightDecay": True}}),
    "nadam": case(M, lambda p: torch.optim.NAdam(p, **torch_adam), {"optim": "nadam", **ADAM}),
    "nadam, decoupled": case(V, lambda p: torch.optim.NAdam(p, **torch_adam, decoupled_weight_decay=True, momentum_decay=0.01),
                             {"optim": "nadam", **ADAM, "optimArgs": "decoupled_weight_decay=true,momentum_decay=0.01"}),
    "lamb": case(M, lambda p: Lamb(p, **torch_adam, max_grad_norm=None), {"optim": "lamb", **ADAM}),
    "lamb, no decay": case(V, lambda p: Lamb(p, **{**torch_adam, "weight_decay": 0}, max_grad_norm=None, always_adapt=True), {"optim": "lamb", **ADAM, "weightDecay": 0}),
    "lamb, not always adapted": case(V, lambda p: Lamb(p, **{**torch_adam, "weight_decay": 0}, max_grad_norm=None), {"optim": "lamb", **ADAM, "weightDecay": 0, "optimArgs": "always_adapt=false"}),
    "lamb, clipped trust": case(M, lambda p: Lamb(p, **torch_adam, max_grad_norm=None, trust_clip=True), {"optim": "lamb", **ADAM, "optimArgs": {"trustClip": True}}),
    "muon": case(M, lambda p: torch.optim.Muon(p, lr=0.1, weight_decay=0.1, adjust_lr_fn="match_rms_adamw"), {"optim": "muon", "weightDecay": 0.1}),
    "muon, original": case(TALL, lambda p: torch.optim.Muon(p, lr=0.1, weight_decay=0.1, momentum=0.9, nesterov=False, ns_steps=3, adjust_lr_fn="original"),
                           {"optim": "muon", "weightDecay": 0.1, "optimArgs": "momentum=0.9,nesterov=false,ns_steps=3,adjust_lr_fn=original"}),
    "muon, an embedding": case(M, lambda p: torch.optim.AdamW(p, **torch_adam), {"optim": "muon", **ADAM}, name="model.embed_tokens.weight"),
    "schedule-free adamw": case(M, lambda p: AdamWScheduleFree(p, **torch_adam), {"optim": "schedule_free_adamw", **ADAM}, averages=True),
    "schedule-free adamw, weighted": case(M, lambda p: AdamWScheduleFree(p, **torch_adam, r=1.0, weight_lr_power=1.0),
                                          {"optim": "schedule_free_adamw", **ADAM, "optimArgs": "r=1,weight_lr_power=1"}, averages=True),
    "sophia": case(M, lambda p: SophiaG(p, lr=0.1, weight_decay=0.1), {"optim": "sophia", "weightDecay": 0.1}, k=10, weight=512),
    "sophia, all arguments": case(TALL, lambda p: SophiaG(p, lr=0.1, betas=(0.9, 0.8), rho=0.1, weight_decay=0), {"optim": "sophia", "optimArgs": "beta1=0.9,beta2=0.8,rho=0.1,k=3"}, k=3, weight=20),
    "8-bit adamw": case((20, 30), rule(lambda p, g, s, group: adamw_8bit(p.view(-1), g.reshape(-1), s, group)),
                        {"optim": "adamw_8bit", **ADAM, "optimArgs": "min_8bit_size=0"}, every=10),
}, separators=(",", ":")) + "\n")
