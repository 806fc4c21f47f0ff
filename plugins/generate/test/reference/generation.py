"""Writes ../fixtures/generation.json: what transformers generates with the models of test/fixtures/families.
Usage: python plugins/generate/test/reference/generation.py"""
import json
import os
from pathlib import Path

os.environ.setdefault("HF_HUB_OFFLINE", "1")
import torch
import transformers

HERE = Path(__file__).resolve()
FAMILIES = HERE.parents[4] / "test" / "fixtures" / "families"
transformers.logging.set_verbosity_error()
torch.set_num_threads(1)


def load(family):
    model = transformers.AutoModelForCausalLM.from_pretrained(FAMILIES / family, dtype=torch.float32, attn_implementation="eager").eval()
    config = model.generation_config
    config.eos_token_id, config.do_sample, config.temperature, config.top_p = None, False, None, None
    return model


def prompts(count, length):
    generator = torch.Generator().manual_seed(7)
    return [torch.randint(3, 96, (length + 3 * i,), generator=generator).tolist() for i in range(count)]


def run(model, prompt, **options):
    ids = torch.tensor([prompt])
    with torch.no_grad():
        out = model.generate(ids, attention_mask=torch.ones_like(ids), pad_token_id=0, return_dict_in_generate=True, output_scores=True, **options)
    return [row[len(prompt):].tolist() for row in out.sequences], out


def greedy(family):
    model = load(family)
    cases = []
    for prompt in prompts(2, 5):
        new = 32 - len(prompt) if family == "gpt2" else 64
        ids, out = run(model, prompt, max_new_tokens=new, output_logits=True)
        logprobs = [torch.log_softmax(step[0].double(), -1)[token].item() for step, token in zip(out.logits, ids[0])]
        cases.append({"prompt": prompt, "ids": ids[0], "logprobs": [round(x, 5) for x in logprobs]})
    return cases


def processed():
    model = load("llama")
    options = [{"repetition_penalty": 1.3}, {"no_repeat_ngram_size": 2}, {"repetition_penalty": 1.8, "no_repeat_ngram_size": 3},
               {"min_new_tokens": 20, "eos_token_id": list(range(3, 60))}]
    return [{"prompt": prompts(1, 6)[0], "options": o, "ids": run(model, prompts(1, 6)[0], max_new_tokens=40, **o)[0][0]} for o in options]


def beams():
    cases = []
    for family in "llama", "qwen3":
        model = load(family)
        for options in ({"num_beams": 3}, {"num_beams": 4, "num_return_sequences": 3, "length_penalty": 0.5}, {"num_beams": 4, "early_stopping": True, "num_return_sequences": 4},
                        {"num_beams": 5, "length_penalty": 2.0, "early_stopping": "never"}, {"num_beams": 2, "repetition_penalty": 1.4}):
            for prompt in prompts(2, 5):
                eos = list(range(10, 26))
                ids, out = run(model, prompt, max_new_tokens=16, eos_token_id=eos, **options)
                ids = [row[:next((i + 1 for i, t in enumerate(row) if t in eos), len(row))] for row in ids]
                cases.append({"family": family, "prompt": prompt, "options": options, "eos": eos, "ids": ids, "scores": [round(x, 5) for x in out.sequences_scores.tolist()]})
    return cases


if __name__ == "__main__":
    families = sorted(p.name for p in FAMILIES.iterdir())
    result = {"made_by": "plugins/generate/test/reference/generation.py", "versions": {"torch": torch.__version__, "transformers": transformers.__version__},
              "greedy": {family: greedy(family) for family in families}, "processed": processed(), "beams": beams()}
    text = json.dumps(result).replace('{"prompt"', '\n{"prompt"').replace('{"family"', '\n{"family"')
    (HERE.parents[1] / "fixtures" / "generation.json").write_text(text + "\n")
