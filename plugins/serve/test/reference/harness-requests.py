"""Requests that lm-evaluation-harness 0.4.13 (local-completions, add_bos_token=True, tokens as
prompts) sent for arc_easy with 2 shots, and what it found on the same texts with transformers:
plugins/evaluate/test/fixtures/harness.json. Usage: harness-requests.py MODEL_FOLDER REQUESTS.jsonl,
the recorded bodies; writes ../fixtures/harness-requests.json.
"""
import json
import os
import sys

from tokenizers import Tokenizer

here = os.path.dirname(os.path.abspath(__file__))
harness = os.path.join(here, '../../../evaluate/test/fixtures/harness.json')
tokenizer = Tokenizer.from_file(os.path.join(sys.argv[1], 'tokenizer.json'))
[run] = [
    one for one in json.load(open(harness))['runs'] if one['task'] == 'arc_easy' and one['shots'] == 2
]
known = {}
for sample in run['samples']:
    for (context, continuation), total, greedy in zip(
        sample['requests'], sample['sums'], sample['greedy']
    ):
        ids = tokenizer.encode(context + continuation).ids
        tokens = len(ids) - len(tokenizer.encode(context).ids)
        known[tuple(ids)] = {'tokens': tokens, 'sum': total, 'greedy': greedy}
out = []
for line in open(sys.argv[2]):
    body = json.loads(line)
    if all(tuple(ids) in known for ids in body['prompt']):
        out.append({'body': body, 'expected': [known[tuple(ids)] for ids in body['prompt']]})
with open(os.path.join(here, '..', 'fixtures', 'harness-requests.json'), 'w') as target:
    json.dump(out, target)
    target.write('\n')
print(len(out), 'requests')
