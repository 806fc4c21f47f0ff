"""Checks that what this project saved means the same to PEFT and transformers: loads an adapter (or a whole model)
with them, computes logits (and the loss) and compares with ours. Exits with 1 if they differ by more than the tolerance.
Usage: python check_adapter.py MODEL ADAPTER_OR_MODEL RESULT.json [--tolerance 1e-4]

RESULT.json: {"input_ids": [[...]], "logits": [[[...]]], "attention_mask": optional (right padding),
"labels": optional, "loss": optional, the mean over labelled tokens}; rows may differ in length.
A whole model is loaded alone, MODEL is then not read."""
import argparse
import json
import sys
from pathlib import Path

import torch
from peft import PeftModel

from common import load_model, summed_loss


def load(base, folder):
    if (Path(folder) / "adapter_config.json").exists():
        return PeftModel.from_pretrained(load_model(base), folder)
    return load_model(folder)


@torch.no_grad()
def main():
    parser = argparse.ArgumentParser()
    parser.add_argument("base")
    parser.add_argument("folder")
    parser.add_argument("result")
    parser.add_argument("--tolerance", type=float, default=1e-4)
    arguments = parser.parse_args()
    result = json.loads(Path(arguments.result).read_text())
    model = load(arguments.base, arguments.folder).eval()

    worst = largest = total = count = 0.0
    for row, ids in enumerate(result["input_ids"]):
        length = sum(result["attention_mask"][row]) if "attention_mask" in result else len(ids)
        theirs = model(input_ids=torch.tensor([ids[:length]]), use_cache=False).logits
        ours = torch.tensor(result["logits"][row][:length])
        if ours.shape != theirs[0].shape:
            sys.exit(f"row {row}: our logits are {list(ours.shape)}, theirs {list(theirs[0].shape)}")
        difference = (ours - theirs[0]).abs().max().item()
        worst = max(worst, difference) if difference == difference else float("nan")
        largest = max(largest, theirs.abs().max().item())
        if "labels" in result:
            loss, n = summed_loss(theirs, torch.tensor([result["labels"][row][:length]]))
            total, count = total + loss.item(), count + n
    report = {"max_logit_difference": worst, "largest_logit": largest}
    fine = worst <= arguments.tolerance
    if "loss" in result:
        report |= {"loss": total / count, "loss_difference": abs(total / count - result["loss"])}
        fine = fine and report["loss_difference"] <= arguments.tolerance
    print(json.dumps(report))
    sys.exit(0 if fine else 1)


if __name__ == "__main__":
    main()
