"""Makes test/fixtures/blocks.json: random blocks of GGUF's quantized types with what the gguf package decodes them to, and the error that
its own encoders (where it has one) leave on normal numbers. Usage: pip install gguf==0.19.0 numpy; python blocks.py"""
import base64
import json
from pathlib import Path

import numpy as np
from gguf import GGML_QUANT_SIZES, GGMLQuantizationType
from gguf.quants import dequantize, quantize

random = np.random.default_rng(1)
numbers = random.standard_normal(4096).astype(np.float32)
result = {"numbers": base64.b64encode(numbers.tobytes()).decode(), "types": {}}
# Places of the float16 scales in a block.
scales = {"Q4_0": [0], "Q8_0": [0], "Q4_K": [0, 2], "Q6_K": [208]}
for name, places in scales.items():
    kind = GGMLQuantizationType[name]
    size, length = GGML_QUANT_SIZES[kind]
    blocks = random.integers(0, 256, (512 // size, length), dtype=np.uint8)
    for place in places:
        blocks[:, place:place + 2] = random.uniform(-0.1, 0.1, (len(blocks), 1)).astype(np.float16).view(np.uint8)
    entry = {"bytes": base64.b64encode(blocks.tobytes()).decode(), "numbers": [float(x) for x in dequantize(blocks.reshape(-1), kind)]}
    try:
        again = dequantize(quantize(numbers, kind), kind)
        entry["error"] = float(np.sqrt(np.mean((again - numbers) ** 2)))
    except NotImplementedError:
        pass
    result["types"][name] = entry
(Path(__file__).parent.parent / "fixtures" / "blocks.json").write_text(json.dumps(result) + "\n")
