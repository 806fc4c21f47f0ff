"""Writes plugins/reward-model/test/fixtures: classifiers of transformers on the models of test/fixtures/families, their scores
with either padding, and 20 steps of TRL's RewardTrainer. Usage: python reward_models.py   (needs transformers and trl 1.13)"""
import json
import os
import shutil
import tempfile
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")

import torch
import transformers
import trl
from datasets import Dataset
from tokenizers import Tokenizer, models
from torch.utils.data import SequentialSampler
from transformers import AutoModelForSequenceClassification, PreTrainedTokenizerFast

ROOT = Path(__file__).resolve().parents[4]
FAMILIES, OUT = ROOT / "test/fixtures/families", Path(__file__).resolve().parent.parent / "fixtures"
VOCAB, PAD, EOS = 96, 0, 2
STEPS, PAIRS = 20, 40


def numbers(tensor):
    return [float(f"{x:.9g}") for x in tensor.flatten().tolist()]


def rows(generator, count):
    made = []
    for _ in range(count):
        length = int(torch.randint(4, 14, (1,), generator=generator))
        made.append(torch.randint(3, VOCAB, (length,), generator=generator).tolist() + [EOS])
    return made


def padded(ids, side):
    width = max(map(len, ids))
    fill = [[PAD] * (width - len(row)) for row in ids]
    both = [(f + row if side == "left" else row + f) for row, f in zip(ids, fill)]
    mask = [([0] * len(f) + [1] * len(row) if side == "left" else [1] * len(row) + [0] * len(f)) for row, f in zip(ids, fill)]
    return {"input_ids": torch.tensor(both), "attention_mask": torch.tensor(mask)}


def classifier(family, pad=PAD):
    torch.manual_seed(3)
    model = AutoModelForSequenceClassification.from_pretrained(FAMILIES / family, num_labels=1, dtype=torch.float32)
    model.config.pad_token_id = pad
    with torch.no_grad():
        model.score.weight.copy_(torch.randn(model.score.weight.shape, generator=torch.Generator().manual_seed(5)))
    return model.eval()


def scores(model, ids):
    with torch.no_grad():
        return {side: numbers(model(**padded(ids, side)).logits) for side in ("right", "left")}


def single(model, ids):
    with torch.no_grad():
        return [numbers(model(input_ids=torch.tensor([row])).logits)[0] for row in ids]


def steps(start, options):
    generator = torch.Generator().manual_seed(9)
    sides = [rows(generator, PAIRS) for _ in range(2)]
    margins = [float(f"{x:.4f}") for x in torch.rand(PAIRS, generator=generator).tolist()]
    record = {"chosen_ids": sides[0], "rejected_ids": sides[1]}
    if options["margin"]:
        record["margin"] = margins
    tokenizer = PreTrainedTokenizerFast(
        tokenizer_object=Tokenizer(models.WordLevel({f"t{i}": i for i in range(VOCAB)}, unk_token="t0")),
        pad_token="t0", eos_token=f"t{EOS}")
    with tempfile.TemporaryDirectory() as folder:
        arguments = trl.RewardConfig(
            output_dir=folder, use_cpu=True, bf16=False, gradient_checkpointing=False, report_to="none", logging_steps=1,
            per_device_train_batch_size=4, max_steps=STEPS, learning_rate=2e-3, lr_scheduler_type="linear", warmup_steps=0,
            weight_decay=0.0, max_grad_norm=1.0, save_strategy="no", max_length=None,
            center_rewards_coefficient=options["center"])
        trainer = trl.RewardTrainer(
            model=AutoModelForSequenceClassification.from_pretrained(start, dtype=torch.float32),
            args=arguments, train_dataset=Dataset.from_dict(record), processing_class=tokenizer)
        trainer._get_train_sampler = lambda *_: SequentialSampler(trainer.train_dataset)
        trainer.train()
        log = [entry for entry in trainer.state.log_history if "loss" in entry]
    keep = ("loss", "accuracy", "margin", "min_reward", "mean_reward", "max_reward", "grad_norm")
    return {"options": options, **record, "log": [{name: entry[name] for name in keep if name in entry} for entry in log]}


def main():
    shutil.rmtree(OUT, ignore_errors=True)
    OUT.mkdir(parents=True)
    generator = torch.Generator().manual_seed(1)
    ids = rows(generator, 6)
    cases = {}
    for family in ("llama", "gpt2"):
        model = classifier(family)
        cases[family] = {"score": numbers(model.score.weight), "scores": scores(model, ids)}
        if family == "llama":
            model.save_pretrained(OUT / "llama")
            # the end of text as padding: the place before it is read
            model.config.pad_token_id = EOS
            cases[family]["padIsEos"] = single(model, ids)
    document = {
        "versions": {"torch": torch.__version__, "transformers": transformers.__version__, "trl": trl.__version__},
        "ids": ids, "families": cases,
        "steps": [steps(OUT / "llama", {"margin": False, "center": None}), steps(OUT / "llama", {"margin": True, "center": 0.01})],
    }
    (OUT / "reference.json").write_text(json.dumps(document) + "\n")


main()
