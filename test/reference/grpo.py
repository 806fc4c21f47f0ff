"""Writes test/fixtures/grpo/trl.json: 20 steps of TRL's GRPOTrainer and RLOOTrainer on answers that are given as token ids, from the
model families/llama, with the adapter steps/llama/lora/initial or with all weights.
Usage: python grpo.py (after families.py and steps.py)"""
import json
import tempfile

import torch
import trl
from datasets import Dataset
from peft import PeftModel
from trl import GRPOConfig, GRPOTrainer, RLOOConfig, RLOOTrainer
from trl.trainer import grpo_trainer, rloo_trainer

from common import FIXTURES, load_model, versions
from dpo import VOCAB, tokenizer

STEPS, PROMPTS, GROUP, MOST, EOS = 20, 4, 4, 12, 2
FIGURES = ["loss", "grad_norm", "reward", "reward_std", "rewards/first/mean", "rewards/first/std", "frac_reward_zero_std", "entropy",
           "clip_ratio/low_mean", "clip_ratio/high_mean", "clip_ratio/region_mean", "completions/mean_length",
           "completions/min_length", "completions/max_length", "completions/clipped_ratio", "completions/mean_terminated_length"]
BASE = {"num_generations": GROUP, "max_completion_length": MOST, "shuffle_dataset": False, "learning_rate": 5e-3,
        "per_device_train_batch_size": 8, "use_bias_correction_kl": True}
CASES = {
    "dapo": {"adapter": True, "rewards": ["first"],
             "config": {"beta": 0.04, "num_iterations": 2, "epsilon": 0.1, "epsilon_high": 0.28, "loss_type": "dapo"}},
    "grpo": {"adapter": True, "rewards": ["first", "second"],
             "config": {"beta": 0.1, "loss_type": "grpo", "scale_rewards": "batch", "per_device_train_batch_size": 4, "steps_per_generation": 4,
                        "gradient_accumulation_steps": 2, "use_bias_correction_kl": False, "reward_weights": [1.0, 0.5]}},
    "dr_grpo": {"adapter": False, "rewards": ["first"],
                "config": {"learning_rate": 2e-3, "loss_type": "dr_grpo", "scale_rewards": "none", "num_iterations": 3,
                           "mask_truncated_completions": True, "delta": 1.1, "temperature": 0.7}},
    "sequence": {"adapter": True, "rewards": ["first", "second"],
                 "config": {"beta": 0.04, "num_iterations": 2, "epsilon": 0.05, "loss_type": "grpo",
                            "importance_sampling_level": "sequence", "multi_objective_aggregation": "normalize_then_sum"}},
    "bnpo": {"adapter": True, "rewards": ["first"], "config": {"loss_type": "bnpo", "num_iterations": 2, "mask_truncated_completions": True}},
    "cispo": {"adapter": True, "rewards": ["first"], "config": {"loss_type": "cispo", "epsilon_high": 1.05, "num_iterations": 4}},
    "rloo": {"adapter": True, "rewards": ["first", "second"],
             "config": {"beta": 0.05, "num_iterations": 2, "epsilon": 0.2, "normalize_advantages": True, "reward_clip_range": [-0.2, 0.9]}},
}


def answers():
    """Of each prompt: its ids, and the ids and rewards of a group of answers; some have no end, one reward is missing."""
    generator = torch.Generator().manual_seed(13)
    number = lambda low, high: int(torch.randint(low, high, (1,), generator=generator))
    ids = lambda count: torch.randint(3, VOCAB, (count,), generator=generator).tolist()
    groups = []
    for prompt in range(PROMPTS):
        group = []
        for member in range(GROUP):
            cut = (prompt + member) % 4 == 3
            group.append({"ids": ids(MOST) if cut else ids(number(2, MOST - 1)) + [EOS],
                          "first": round(float(torch.rand(1, generator=generator)), 3),
                          "second": None if member == 1 else round(float(torch.randn(1, generator=generator)), 3)})
        groups.append({"prompt_ids": ids(number(2, 8)), "answers": group})
    for answer in groups[2]["answers"]:
        answer.update(first=0.5)
    return groups


GROUPS = answers()


def reward(name):
    def given(prompts, completion_ids, **_):
        found = {tuple(answer["ids"]): answer[name] for group in GROUPS for answer in group["answers"]}
        return [found[tuple(ids)] for ids in completion_ids]
    given.__name__ = name
    return given


class Given:
    """Answers from GROUPS in place of generated ones, in order."""

    def _tokenize_prompts(self, prompts):
        self.asked = [int(prompt) for prompt in prompts]
        return [GROUPS[prompt]["prompt_ids"] for prompt in self.asked], None, {}

    def _generate_single_turn(self, prompt_ids, *rest, **named):
        return [list(GROUPS[prompt]["answers"][place % GROUP]["ids"]) for place, prompt in enumerate(self.asked)], None


class GivenGRPO(Given, GRPOTrainer):
    pass


class GivenRLOO(Given, RLOOTrainer):
    def _generate_single_turn(self, *rest, **named):
        return super()._generate_single_turn(*rest, **named)[0]


def run(name, case):
    torch.manual_seed(7)
    base = FIXTURES / "families" / "llama"
    model = load_model(base)
    if case["adapter"]:
        model = PeftModel.from_pretrained(model, FIXTURES / "steps/llama/lora/initial", is_trainable=True)
    kind, config = (GivenRLOO, RLOOConfig) if name == "rloo" else (GivenGRPO, GRPOConfig)
    given = {**BASE, **case["config"]}
    if name == "rloo":
        given.pop("use_bias_correction_kl")
    trainer = kind(model=model, reward_funcs=[reward(one) for one in case["rewards"]],
                   args=config(output_dir=tempfile.mkdtemp(), max_steps=STEPS, lr_scheduler_type="linear", logging_steps=1,
                               report_to="none", bf16=False, use_cpu=True, gradient_checkpointing=False, save_strategy="no",
                               disable_tqdm=True, **given),
                   train_dataset=Dataset.from_list([{"prompt": str(place)} for place in range(PROMPTS)]), processing_class=tokenizer())
    trainer.train()
    lines = [line for line in trainer.state.log_history if "loss" in line]
    print(name, [round(line["loss"], 4) for line in lines])
    figures = [key for key in [*FIGURES, "kl", "rewards/second/mean", "rewards/second/std"] if key in lines[0]]
    return {**case, "config": given, "figures": {key: [line.get(key) for line in lines] for key in figures}}


if __name__ == "__main__":
    torch.set_num_threads(1)
    # TRL deals a round's answers to its micro-batches at random
    for module in (grpo_trainer, rloo_trainer):
        module.shuffle_sequence_dict = lambda batch: batch
    folder = FIXTURES / "grpo"
    folder.mkdir(exist_ok=True)
    document = {"made_by": "test/reference/grpo.py", "steps": STEPS, "eos": EOS, "groups": GROUPS,
                "cases": {name: run(name, case) for name, case in CASES.items()},
                "versions": {**versions(), "trl": trl.__version__}}
    (folder / "trl.json").write_text(json.dumps(document) + "\n")
