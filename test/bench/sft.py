"""The epoch benchmark's peer: finetuning with LoRA by TRL's SFTTrainer + PEFT in float32, on prompt/completion records.
Prints one line of JSON: seconds of training, evaluation loss over all trained tokens, tokens of the data as TRL prepared it.
Usage: python sft.py SETTINGS.json (written by epoch.ts)"""
import json
import os
import sys
import time

os.environ["HF_HUB_OFFLINE"] = "1"
settings = json.load(open(sys.argv[1]))
os.environ["OMP_NUM_THREADS"] = str(settings["threads"])

import torch
from datasets import load_dataset
from peft import LoraConfig
from transformers import AutoModelForCausalLM, AutoTokenizer
from trl import SFTConfig, SFTTrainer

torch.set_num_threads(settings["threads"])
tokenizer = AutoTokenizer.from_pretrained(settings["model"])
model = AutoModelForCausalLM.from_pretrained(settings["model"], dtype=torch.float32, attn_implementation="sdpa")
data = load_dataset("json", data_files={"train": settings["train"], "evaluation": settings["evaluation"]})
trainer = SFTTrainer(
    model=model,
    processing_class=tokenizer,
    train_dataset=data["train"],
    eval_dataset=data["evaluation"],
    peft_config=LoraConfig(task_type="CAUSAL_LM", r=8, lora_alpha=16, lora_dropout=0.0, target_modules="all-linear"),
    args=SFTConfig(
        output_dir=settings["output"], max_length=settings["max_length"], packing=False, completion_only_loss=True,
        per_device_train_batch_size=settings["batch"], per_device_eval_batch_size=settings["batch"],
        num_train_epochs=1, learning_rate=settings["learning_rate"], lr_scheduler_type="cosine", warmup_steps=settings["warmup_steps"],
        max_grad_norm=1.0, weight_decay=0.0, gradient_checkpointing=settings["checkpointing"], optim="adamw_torch_fused",
        use_cpu=True, bf16=False, fp16=False, report_to="none", save_strategy="no", logging_steps=10, seed=settings["seed"], disable_tqdm=True,
    ),
)


def counts(dataset):
    labels = [example["labels"] for example in dataset]
    return [sum(map(len, labels)), sum(label != -100 for row in labels for label in row[1:])]


started = time.perf_counter()
trainer.train()
seconds = time.perf_counter() - started

# Over all tokens alike, as ours; the Trainer's own figure is a mean over batches.
model, total, number = trainer.model.eval(), 0.0, 0
with torch.no_grad():
    for batch in trainer.get_eval_dataloader():
        trained = int((batch["labels"][:, 1:] != -100).sum())
        total += model(input_ids=batch["input_ids"], attention_mask=batch["attention_mask"], labels=batch["labels"]).loss.item() * trained
        number += trained
trainer.save_model()
print(json.dumps({"seconds": seconds, "loss": total / number, "train": counts(trainer.train_dataset), "evaluation": counts(trainer.eval_dataset)}), flush=True)
