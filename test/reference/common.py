"""What the reference scripts share: versions, randomised tiny models, padding, token-normalised loss."""
import json
import os
import platform
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import peft
import safetensors
import torch
import torch.nn.functional as F
import transformers

FIXTURES = Path(__file__).resolve().parent.parent / "fixtures"
transformers.logging.set_verbosity_error()
transformers.utils.logging.disable_progress_bar()


def versions():
    return {
        "python": platform.python_version(),
        "torch": torch.__version__,
        "transformers": transformers.__version__,
        "peft": peft.__version__,
        "safetensors": safetensors.__version__,
    }


def write_json(path, value):
    Path(path).write_text(json.dumps(value, indent=2) + "\n")


def load_model(folder, dtype=torch.float32, attention="eager", **options):
    return transformers.AutoModelForCausalLM.from_pretrained(
        folder, dtype=dtype, attn_implementation=attention, **options)


def pad(samples):
    """Right-pads [{input_ids, labels}] to one batch: tokens with 0, labels with -100, mask with 0."""
    length = max(len(s["input_ids"]) for s in samples)
    fill = lambda rows, value: torch.tensor([list(r) + [value] * (length - len(r)) for r in rows])
    return {
        "input_ids": fill([s["input_ids"] for s in samples], 0),
        "labels": fill([s["labels"] for s in samples], -100),
        "attention_mask": fill([[1] * len(s["input_ids"]) for s in samples], 0),
    }


def summed_loss(logits, labels):
    """Cross-entropy summed over labelled tokens, and their number; position t predicts label t + 1."""
    targets = labels[:, 1:].reshape(-1)
    total = F.cross_entropy(logits[:, :-1].float().reshape(-1, logits.shape[-1]), targets,
                            ignore_index=-100, reduction="sum")
    return total, int((targets != -100).sum())
