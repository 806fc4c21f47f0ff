"""Writes test/fixtures/dpo/trl.json and test/fixtures/kto/trl.json: 20 steps of TRL's DPOTrainer and KTOTrainer on pairs of
token ids, from the model families/llama, with the adapter steps/llama/lora/initial or with all weights.
Usage: python dpo.py [dpo|kto] (after families.py and steps.py)"""
import json
import sys
import tempfile

import torch
import trl
from datasets import Dataset
from peft import PeftModel
from tokenizers import Tokenizer, models
from torch.utils.data import SequentialSampler
from transformers import PreTrainedTokenizerFast
from trl import DPOConfig, DPOTrainer, KTOConfig, KTOTrainer

from common import FIXTURES, load_model, versions

STEPS, PAIRS, BATCH, VOCAB = 20, 8, 2, 96
FIGURES = ["loss", "rewards/chosen", "rewards/rejected", "rewards/accuracies", "rewards/margins", "logps/chosen",
           "logps/rejected", "logits/chosen", "logits/rejected", "entropy"]
CASES = {
    "sigmoid": {"adapter": True, "learning_rate": 5e-3, "beta": 0.1, "loss_type": ["sigmoid"]},
    "ipo": {"adapter": True, "learning_rate": 5e-3, "beta": 0.2, "loss_type": ["ipo"]},
    "mpo": {"adapter": False, "learning_rate": 1e-3, "beta": 0.1, "loss_type": ["sigmoid", "bco_pair", "sft"],
            "loss_weights": [0.8, 0.2, 1.0]},
}


def pairs():
    generator = torch.Generator().manual_seed(11)
    number = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    ids = lambda count: torch.randint(3, VOCAB, (count,), generator=generator).tolist()
    return [{"prompt_ids": ids(number(2, 8)), "chosen_ids": ids(number(2, 12)), "rejected_ids": ids(number(2, 12))}
            for _ in range(PAIRS)]


def tokenizer():
    vocabulary = {f"t{place}": place for place in range(VOCAB)}
    return PreTrainedTokenizerFast(tokenizer_object=Tokenizer(models.WordLevel(vocabulary, unk_token="t0")),
                                   unk_token="t0", pad_token="t1", eos_token="t2")


class InOrder(DPOTrainer):
    def _prepare_dataset(self, dataset, *rest, **named):
        return dataset

    def _get_train_sampler(self, *rest):
        return SequentialSampler(self.train_dataset)


def arguments(learning_rate):
    return {"output_dir": tempfile.mkdtemp(), "max_steps": STEPS, "per_device_train_batch_size": BATCH,
            "learning_rate": learning_rate, "lr_scheduler_type": "linear", "logging_steps": 1, "report_to": "none",
            "bf16": False, "use_cpu": True, "gradient_checkpointing": False, "save_strategy": "no", "disable_tqdm": True,
            "dataset_num_proc": None}


def run(name, settings):
    torch.manual_seed(7)
    base = FIXTURES / "families" / "llama"
    model, reference = load_model(base), None
    if settings["adapter"]:
        model = PeftModel.from_pretrained(model, FIXTURES / "steps/llama/lora/initial", is_trainable=True)
    else:
        reference = load_model(base)
    given = {key: value for key, value in settings.items() if key not in ("adapter", "learning_rate")}
    trainer = InOrder(model=model, ref_model=reference, args=DPOConfig(**arguments(settings["learning_rate"]), **given),
                      train_dataset=Dataset.from_list(pairs()), processing_class=tokenizer())
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    print(name, [round(line["loss"], 4) for line in lines])
    return {"settings": settings, "figures": {key: [line[key] for line in lines] for key in FIGURES}}


KTO = {"adapter": True, "learning_rate": 5e-3, "beta": 0.1, "desirable_weight": 1.2, "undesirable_weight": 0.8}
KTO_BATCH = 4
KTO_FIGURES = ["loss", "kl", "rewards/chosen", "rewards/rejected", "logps/chosen", "logps/rejected", "entropy"]


class JudgedInOrder(KTOTrainer):
    def _prepare_dataset(self, dataset, *rest, **named):
        return dataset


def judged():
    """The answers of the pairs, and behind each prompt the answer of the one before it in the batch."""
    rows = []
    for place, pair in enumerate(pairs()):
        both = [("chosen_ids", True), ("rejected_ids", False)]
        rows += [{"prompt_ids": pair["prompt_ids"], "completion_ids": pair[key], "label": label}
                 for key, label in (both if place % 2 else reversed(both))]
    for first in range(0, len(rows), KTO_BATCH):
        batch = rows[first:first + KTO_BATCH]
        for place, row in enumerate(batch):
            row["KL_completion_ids"] = batch[place - 1]["completion_ids"]
    return rows


def run_kto():
    torch.manual_seed(7)
    model = PeftModel.from_pretrained(load_model(FIXTURES / "families/llama"), FIXTURES / "steps/llama/lora/initial",
                                      is_trainable=True)
    given = {key: value for key, value in KTO.items() if key not in ("adapter", "learning_rate")}
    given = {**arguments(KTO["learning_rate"]), "per_device_train_batch_size": KTO_BATCH, **given}
    trainer = JudgedInOrder(model=model, args=KTOConfig(**given, train_sampling_strategy="sequential"),
                            train_dataset=Dataset.from_list(judged()), processing_class=tokenizer())
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    print("kto", [round(line["loss"], 4) for line in lines], [round(line["kl"], 3) for line in lines])
    return {key: [line[key] for line in lines] for key in KTO_FIGURES}


def write(name, document):
    folder = FIXTURES / name
    folder.mkdir(exist_ok=True)
    made = {"made_by": "test/reference/dpo.py", **document, "versions": {**versions(), "trl": trl.__version__}}
    (folder / "trl.json").write_text(json.dumps(made) + "\n")


if __name__ == "__main__":
    torch.set_num_threads(1)
    wanted = sys.argv[1:] or ["dpo", "kto"]
    if "dpo" in wanted:
        write("dpo", {"batch": BATCH, "steps": STEPS, "pairs": pairs(),
                      "cases": {name: run(name, settings) for name, settings in CASES.items()}})
    if "kto" in wanted:
        write("kto", {"batch": KTO_BATCH, "steps": STEPS, "settings": KTO, "judged": judged(), "figures": run_kto()})
