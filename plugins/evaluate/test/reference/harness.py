"""Runs lm-evaluation-harness 0.4.13 on the small data of ../fixtures/data and keeps what it asked
and what it got: ../fixtures/harness.json. Usage: harness.py MODEL_FOLDER

Needs lm-eval (--no-deps beside torch, transformers, datasets, sacrebleu, scikit-learn,
more-itertools, dill); modules that these tasks do not use may be missing.
"""
import json
import os
import sys
import tempfile
import types

os.environ.update(HF_HUB_OFFLINE='1', HF_DATASETS_OFFLINE='1', TOKENIZERS_PARALLELISM='false')


class Anything:
    def __init__(self, *_, **__):
        pass

    def __getattr__(self, _):
        return Anything()

    def __call__(self, *_, **__):
        return Anything()


def stand_in(name):
    if name.startswith('__'):
        raise AttributeError(name)
    return Anything


for name in ['evaluate', 'pytablewriter', 'sqlitedict', 'rouge_score', 'word2number']:
    try:
        __import__(name)
    except ImportError:
        module = types.ModuleType(name)
        module.__getattr__ = stand_in
        sys.modules[name] = module

import lm_eval  # noqa: E402
import torch  # noqa: E402
import transformers  # noqa: E402
from lm_eval.tasks import TaskManager  # noqa: E402

torch.set_num_threads(1)
here = os.path.dirname(os.path.abspath(__file__))
data = os.path.join(here, '..', 'fixtures', 'data')
tasks = os.path.join(os.path.dirname(lm_eval.__file__), 'tasks')
# name -> (the harness's own file, splits of the data, shots)
runs = {
    'arc_easy': ('arc/arc_easy.yaml', ['train', 'test'], 2),
    'hellaswag': ('hellaswag/hellaswag.yaml', ['train', 'validation'], 2),
    'winogrande': ('winogrande/default.yaml', ['train', 'validation'], 2),
    'piqa': ('piqa/piqa.yaml', ['train', 'validation'], 6),
    'boolq': ('super_glue/boolq/default.yaml', ['train', 'validation'], 1),
    'openbookqa': ('openbookqa/openbookqa.yaml', ['train', 'test'], 1),
    'mmlu_anatomy': ('mmlu/default/mmlu_anatomy.yaml', ['dev', 'test'], 2),
    'medmcqa': ('medmcqa/medmcqa.yaml', ['train', 'validation'], 0),
    'medqa_4options': ('medqa/medqa.yaml', ['train', 'test'], 0),
    'wikitext': ('wikitext/wikitext.yaml', ['test'], 0),
}


def override(name, file, splits):
    lines = [
        f'include: {os.path.join(tasks, file)}',
        f'task: my_{name}',
        'dataset_path: json',
        'dataset_name: null',
        f'training_split: {"train" if "train" in splits else "null"}',
        f'validation_split: {"validation" if "validation" in splits else "null"}',
        f'test_split: {"test" if "test" in splits else "null"}',
        'dataset_kwargs:',
        '  data_files:',
    ]
    lines += [f'    {split}: {os.path.join(data, name, split + ".jsonl")}' for split in splits]
    return '\n'.join(lines) + '\n'


def plain(value):
    return value.item() if hasattr(value, 'item') else value


out = {
    'versions': {
        'lm_eval': '0.4.13',
        'torch': torch.__version__,
        'transformers': transformers.__version__,
    },
    'runs': [],
}
folder = tempfile.mkdtemp()
for name, (file, splits, _) in runs.items():
    with open(os.path.join(folder, f'my_{name}.yaml'), 'w') as target:
        target.write(override(name, file, splits))
manager = TaskManager(include_path=folder, include_defaults=False)
for name, (_, _, most) in runs.items():
    for shots in sorted({0, most}):
        # BOS is context and is never scored: see the harness's issue 3333
        arguments = {'pretrained': sys.argv[1], 'dtype': 'float32'}
        if name == 'wikitext':
            arguments['add_bos_token'] = False
        found = lm_eval.simple_evaluate(
            model='hf',
            model_args=arguments,
            tasks=[f'my_{name}'],
            num_fewshot=shots,
            device='cpu',
            batch_size=4,
            bootstrap_iters=1,
            log_samples=True,
            task_manager=manager,
        )
        samples = []
        for sample in found['samples'][f'my_{name}']:
            metrics = {metric: plain(sample[metric]) for metric in sample['metrics']}
            samples.append(
                {
                    'requests': [list(one) for one in sample['arguments']],
                    'sums': [
                        one[0][0] if isinstance(one[0], (list, tuple)) else one[0]
                        for one in sample['resps']
                    ],
                    'greedy': [
                        one[0][1] if isinstance(one[0], (list, tuple)) else None
                        for one in sample['resps']
                    ],
                    'prompt_hash': sample['prompt_hash'],
                    'doc_hash': sample['doc_hash'],
                    'target_hash': sample['target_hash'],
                    'target': sample['target'],
                    'metrics': metrics,
                }
            )
        results = {
            key: plain(value)
            for key, value in found['results'][f'my_{name}'].items()
            if ',' in key
        }
        out['runs'].append({'task': name, 'shots': shots, 'samples': samples, 'results': results})
        print(name, shots, results)
with open(os.path.join(here, '..', 'fixtures', 'harness.json'), 'w') as target:
    json.dump(out, target, indent=1, ensure_ascii=False)
    target.write('\n')
