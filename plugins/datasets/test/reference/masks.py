# Assistant masks as TRL's assistant_only_loss gets them (transformers' return_assistant_tokens_mask), for every template
# that TRL ships with {% generation %}: writes a tokenizer's folder and what ./masks.ts compares. Run by hand.
# pip install trl transformers && python plugins/datasets/test/reference/masks.py FOLDER_OF_A_TOKENIZER OUT_FOLDER
import glob
import json
import os
import re
import sys

import trl
from transformers import AutoTokenizer

CALL = {"type": "function", "id": "abcdefghi", "function": {"name": "weather", "arguments": {"place": "Köln 😀", "days": [1, 2.5, None]}}}
TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather.", "parameters": {"type": "object", "properties": {"place": {"type": "string", "description": "Where"}}, "required": ["place"]}}}
CONVERSATIONS = {
    "turn": [{"role": "user", "content": "Hello"}, {"role": "assistant", "content": "Hi!"}],
    "turns": [{"role": "system", "content": "Be brief."}, {"role": "user", "content": "a 😀"}, {"role": "assistant", "content": " b 😀"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "d\n"}],
    "think": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "<think>\nhm\n</think>\n\nb"}, {"role": "user", "content": "c"}, {"role": "assistant", "content": "<think>\nho\n</think>\n\nd"}],
    "reasoning": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "b", "reasoning_content": "hm"}],
    "calls": [{"role": "user", "content": "a"}, {"role": "assistant", "content": "", "tool_calls": [CALL]}, {"role": "tool", "name": "weather", "tool_call_id": "abcdefghi", "content": "sun"}, {"role": "assistant", "content": "Sunny."}],
    "parts": [{"role": "user", "content": [{"type": "text", "text": "Look"}]}, {"role": "assistant", "content": [{"type": "text", "text": "I do."}]}],
}

tokenizer = AutoTokenizer.from_pretrained(sys.argv[1])
sources = {os.path.basename(path): open(path, encoding="utf-8").read() for path in sorted(glob.glob(os.path.join(os.path.dirname(trl.__file__), "chat_templates", "*.jinja")))}
sources = {name: source for name, source in sources.items() if re.search(r"\{%-?\s*generation", source)}
markers = sorted({marker for source in sources.values() for marker in re.findall(r"<[|｜][^<>{}' ]+[|｜]>|<(?:start|end)_of_turn>|</?think>", source)})
tokenizer.add_special_tokens({"additional_special_tokens": markers})
tokenizer.save_pretrained(sys.argv[2])

cases = []
for name, source in sources.items():
    for key, messages in CONVERSATIONS.items():
        for tools in (None, [TOOL]):
            try:
                out = tokenizer.apply_chat_template(messages, tools=tools, chat_template=source, tokenize=True, return_dict=True, return_assistant_tokens_mask=True)
            except Exception:
                continue
            cases.append({"template": name, "conversation": key, "source": source, "messages": messages, "tools": tools, "ids": list(out["input_ids"]), "mask": list(out["assistant_masks"])})
json.dump(cases, open(os.path.join(sys.argv[2], "masks.json"), "w", encoding="utf-8"))
print(len(sources), "templates,", len(cases), "masks")
