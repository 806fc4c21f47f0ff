"""Prints digests of the random matrices that PEFT's VeRA draws: plugins/vera/test/projection.test.ts has them.
Usage: python vera_projection.py"""
import hashlib

import torch
from peft.tuners.vera.model import _kaiming_init

for key, rank, inputs, outputs in ((0, 4, 32, 96), (11, 6, 56, 32), (123456789, 3, 300, 700)):
    generator = torch.Generator(device="cpu").manual_seed(key)
    for shape in ((rank, inputs), (outputs, rank)):
        print(key, shape, hashlib.sha256(_kaiming_init(shape, generator).numpy().tobytes()).hexdigest()[:16])
