# Renders every chat template that TRL ships, and any given as files or folders, over varied conversations with Jinja2 as
# transformers sets it up; writes what ./shipped.ts compares. Run by hand; nothing of these templates is kept.
# pip install trl transformers jinja2 && python plugins/chat-templates/test/reference/shipped.py OUT.json [FILE|FOLDER]...
import glob
import itertools
import json
import os
import sys

import trl
from transformers.utils.chat_template_utils import _compile_jinja_template, _render_with_assistant_indices

TOOL = {"type": "function", "function": {"name": "weather", "description": "The weather of a place <b>\"now\"</b> & später", "parameters": {"type": "object", "properties": {
    "place": {"type": "string", "description": "Where", "enum": ["Oslo", "Köln"]}, "days": {"type": ["integer", "null"], "default": 3}, "hours": {"type": "array", "items": {"type": "string"}, "minItems": 1},
    "unit": {"anyOf": [{"type": "string"}, {"type": "null"}], "nullable": True}, "options": {"type": "object", "properties": {"exact": {"type": "boolean", "default": True}}, "required": ["exact"]}}, "required": ["place"]},
    "return": {"type": "object", "description": "The weather"}}}
OTHER = {"type": "function", "function": {"name": "time", "description": "The time.", "parameters": {"type": "object", "properties": {}}}}
ARGUMENTS = {"place": "Köln 😀", "days": 3, "exact": True, "unit": None, "hours": ["am", "pm"], "nested": {"a": [1, 2.5, {"b": False}], "text": "it's \"so\"\n"}}


def call(arguments, name="weather", wrapped=True, key=None):
    function = {"name": name, "arguments": arguments}
    result = {"type": "function", "function": function} if wrapped else function
    return {**result, "id": key} if key else result


def user(content="Hi <there> & wörld 😀 "):
    return {"role": "user", "content": content}


def assistant(content="Hello!\n", **more):
    return {"role": "assistant", "content": content, **more}


CODE = "\n\n    def f(x):\n        return x  \n\n"
CONVERSATIONS = {
    "user": [user()],
    "turn": [user(), assistant()],
    "two turns": [user("a"), assistant("b"), user("c"), assistant(" d ")],
    "user last": [user("a"), assistant("b"), user("c")],
    "system": [{"role": "system", "content": " Be brief. "}, user(), assistant()],
    "system late": [user(), {"role": "system", "content": "Now."}, user("b"), assistant()],
    "developer": [{"role": "developer", "content": "Rules."}, user(), assistant()],
    "code": [user("\n  " + CODE), assistant(CODE), user("  again"), assistant(CODE)],
    "think": [user(), assistant("<think>\n\n  hm\n\n</think>\n\n  Hello  "), user(), assistant("<think>so</think>done")],
    "reasoning": [user(), assistant("A", reasoning_content="\n  hm  \n"), user("b"), assistant("B", reasoning_content="ho")],
    "reasoning of others": [user(), assistant("A", reasoning="r", thinking="t"), user("b"), assistant("B", thinking="tt")],
    "reasoning null": [user(), assistant("A", reasoning_content=None, tool_calls=None)],
    "call": [user(), assistant("", tool_calls=[call(ARGUMENTS)]), {"role": "tool", "name": "weather", "content": "{\"sun\": true}"}, assistant("Sunny.")],
    "call null content": [user(), assistant(None, tool_calls=[call(ARGUMENTS, key="abcdefghi")]), {"role": "tool", "tool_call_id": "abcdefghi", "name": "weather", "content": "ok"}, assistant("Sunny.")],
    "call with text": [user(), assistant("Let me see.", tool_calls=[call({"place": "Oslo"})]), {"role": "tool", "name": "weather", "content": "1"}, assistant("Done.")],
    "call with reasoning": [user(), assistant("", reasoning_content="I need it", tool_calls=[call({})]), {"role": "tool", "name": "weather", "content": "ok"}, assistant("Yes", reasoning_content="fine")],
    "two calls": [user(), assistant("", tool_calls=[call({"place": "a"}, key="abcdefgh1"), call({}, "time", key="abcdefgh2")]), {"role": "tool", "name": "weather", "content": "1", "tool_call_id": "abcdefgh1"}, {"role": "tool", "name": "time", "content": "2", "tool_call_id": "abcdefgh2"}, assistant("Both.")],
    "call as text": [user(), assistant("", tool_calls=[call(json.dumps(ARGUMENTS))]), {"role": "tool", "content": "ok"}, assistant("x")],
    "call unwrapped": [user(), assistant("", tool_calls=[call({"place": "x"}, wrapped=False)]), {"role": "tool", "content": {"sun": True, "list": [None, 1.5]}}, assistant("x")],
    "call last": [user(), assistant("", tool_calls=[call({"place": "x"})])],
    "tool parts": [user(), assistant("", tool_calls=[call({"place": "x"})]), {"role": "tool", "name": "weather", "content": [{"type": "text", "text": "ok"}]}, assistant("x")],
    "parts": [user([{"type": "text", "text": "Look "}, {"type": "text", "text": "here"}]), assistant([{"type": "text", "text": "I do."}])],
    "image": [{"role": "system", "content": [{"type": "text", "text": "See."}]}, user([{"type": "image"}, {"type": "text", "text": "What?"}, {"type": "video"}]), assistant([{"type": "text", "text": "A cat."}])],
    "image url": [user([{"type": "image_url", "image_url": {"url": "x"}}, {"type": "text", "text": "What?"}]), assistant("A cat.")],
    "empty": [user(""), assistant("")],
    "none": [],
    "two users": [user("a"), user("b"), assistant("c")],
    "prefix": [user("a"), assistant("b", prefix=True)],
    "missing content": [user("a"), {"role": "assistant"}],
    "unknown role": [user("a"), {"role": "critic", "content": "b"}],
}
SETTINGS = [{}, {"enable_thinking": False}, {"enable_thinking": True, "preserve_thinking": True}, {"reasoning_effort": "high", "model_identity": "Me.", "builtin_tools": ["browser", "python"]}, {"date_string": "1 Jan 2026", "custom_tools": None, "tools_in_user_message": False}, {"add_vision_id": True, "clear_thinking": False, "truncate_history_thinking": False, "keep_past_thinking": True}]
SPECIAL = {"bos_token": "<s>", "eos_token": "</s>", "unk_token": "<unk>", "pad_token": "<pad>"}

files = sorted(glob.glob(os.path.join(os.path.dirname(trl.__file__), "chat_templates", "*.jinja")))
for path in sys.argv[2:]:
    files += sorted(glob.glob(os.path.join(path, "**", "*.jinja"), recursive=True)) if os.path.isdir(path) else [path]

cases = []
templates = {}
for file in files:
    source = open(file, encoding="utf-8", newline="").read()
    name = os.path.basename(file)
    templates[name] = source
    try:
        compiled = _compile_jinja_template(source)
    except Exception as error:
        cases.append({"template": name, "conversation": "none", "variables": {"messages": []}, "error": str(error)})
        continue
    for (key, messages), tools, prompt, settings in itertools.product(CONVERSATIONS.items(), (None, [TOOL, OTHER]), (False, True), SETTINGS):
        variables = {"messages": messages, "tools": tools, "documents": None, "add_generation_prompt": prompt, **SPECIAL, **settings}
        case = {"template": name, "conversation": key, "variables": variables}
        try:
            case["text"], case["spans"] = _render_with_assistant_indices(compiled, **variables)
        except Exception as error:
            case["error"] = f"{type(error).__name__}: {error}"
        cases.append(case)

with open(sys.argv[1], "w", encoding="utf-8") as file:
    json.dump({"templates": templates, "cases": cases}, file)
print(len(templates), "templates,", sum("text" in case for case in cases), "rendered,", sum("error" in case for case in cases), "refused")
