"""As harness.py, for tasks whose answers are generated: ../fixtures/harness-generate.json. Keeps also
what the harness's filters and its exact_match make of texts that a small model does not write.
Usage: harness_generate.py MODEL_FOLDER
"""
import sys

from common import keep, lm_eval, manager_of, plain, versions
from lm_eval.api.metrics import exact_match_hf_evaluate
from lm_eval.filters import build_filter_ensemble

runs = {
    'gsm8k': ('gsm8k/gsm8k.yaml', ['train', 'test'], 5),
    'truthfulqa_gen': ('truthfulqa/truthfulqa_gen.yaml', ['validation'], 0),
}
manager = manager_of(runs)
out = {'versions': versions(), 'runs': [], 'filters': [], 'exact_match': []}
for name, (_, _, most) in runs.items():
    for shots in sorted({0, most}):
        found = lm_eval.simple_evaluate(
            model='hf',
            model_args={'pretrained': sys.argv[1], 'dtype': 'float32'},
            tasks=[f'my_{name}'],
            num_fewshot=shots,
            device='cpu',
            batch_size=2,
            bootstrap_iters=1,
            log_samples=True,
            task_manager=manager,
        )
        samples = [
            {
                'doc_id': sample['doc_id'],
                'context': sample['arguments'][0][0],
                'resps': sample['resps'],
                'filtered_resps': sample['filtered_resps'],
                'filter': sample['filter'],
                'target': sample['target'],
                'prompt_hash': sample['prompt_hash'],
                'target_hash': sample['target_hash'],
                'metrics': {metric: plain(sample[metric]) for metric in sample['metrics']},
            }
            for sample in found['samples'][f'my_{name}']
        ]
        if name == 'truthfulqa_gen':
            # its files say that the right answer is a space
            for sample in samples:
                del sample['target'], sample['target_hash']
        results = {
            key: plain(value)
            for key, value in found['results'][f'my_{name}'].items()
            if ',' in key
        }
        out['runs'].append({'task': name, 'shots': shots, 'samples': samples, 'results': results})
        print(name, shots, results)


class Request:
    def __init__(self, resps):
        self.resps, self.doc, self.filtered_resps = resps, {}, {}


texts = [
    ['She has 3+4 = <<3+4=7>>7.\n#### 7', 'so 8.\n#### 8.', 'none'],
    ['It costs $1,250.50 and -3 more. ', '  Yes\t', 'yes'],
    ['#### -12, #### 13', 'A', 'A'],
    ['', '\u00a0B\u2003', 'B'],
    ["[('The', 'DET'), ('dog', 'NOUN')]", '٣ and 4{5}', 'x'],
    ['x', 'y', 'y'],
]
rows = [
    [{'function': 'regex', 'regex_pattern': '#### (\\-?[0-9\\.\\,]+)'}, {'function': 'take_first'}],
    [
        {'function': 'regex', 'group_select': -1, 'regex_pattern': '(-?[$0-9.,]{2,})|(-?[0-9]+)'},
        {'function': 'take_first'},
    ],
    [{'function': 'regex', 'regex_pattern': '(?i)\\b(yes|no)\\b', 'fallback': '?'}],
    [{'function': 'regex', 'regex_pattern': '(\\d)\\{(\\d)\\}|([a-z])$'}],
    [{'function': 'remove_whitespace'}, {'function': 'lowercase'}, {'function': 'majority_vote'}],
    [{'function': 'uppercase'}, {'function': 'take_first_k', 'k': 2}],
    [
        {'function': 'remove_whitespace'},
        {'function': 'map', 'mapping_dict': {'A': '1', 'B': '2'}, 'default_value': '0'},
    ],
    [{'function': 'regex_pos'}],
]
for row in rows:
    parts = [[one['function'], {k: v for k, v in one.items() if k != 'function'}] for one in row]
    requests = [Request(one) for one in texts]
    build_filter_ensemble('it', parts).apply(requests)
    out['filters'].append(
        {'filter': row, 'texts': texts, 'found': [one.filtered_resps['it'] for one in requests]}
    )
ignored = [',', '\\$', '(?s).*#### ', '\\.$']
for options in [
    {},
    {'ignore_case': True},
    {'ignore_punctuation': True, 'ignore_case': True},
    {'ignore_numbers': True},
    {'regexes_to_ignore': ignored, 'ignore_case': True},
]:
    for found, right in [
        ('7', 'It is\nseven.\n#### 7'),
        ('1,200', '$1200.'),
        ('1200.\n', '1200'),
        ('Yes', 'yes'),
        ('The end!', 'the end'),
        ('a1b2', 'a3b'),
        ('ÀÉ', 'àé'),
        ('', ''),
        ('«a»', 'a'),
    ]:
        score = exact_match_hf_evaluate([found], [right], **options)['exact_match']
        out['exact_match'].append([options, found, right, float(score)])
keep('harness-generate.json', out)
