"""What the scripts beside this one share: lm-evaluation-harness 0.4.13 without its dependencies that
these tasks do not use, and its own task files over the small data of ../fixtures/data.

Needs lm-eval (--no-deps beside torch, transformers, datasets, sacrebleu, scikit-learn,
more-itertools, dill).
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


def manager_of(runs):
    """A manager with my_<name> for each name -> (the harness's own file, splits of the data, ...)."""
    folder = tempfile.mkdtemp()
    for name, (file, splits, *_) in runs.items():
        with open(os.path.join(folder, f'my_{name}.yaml'), 'w') as target:
            target.write(override(name, file, splits))
    return TaskManager(include_path=folder, include_defaults=False)


def versions():
    return {
        'lm_eval': '0.4.13',
        'torch': torch.__version__,
        'transformers': transformers.__version__,
    }


def keep(name, out):
    with open(os.path.join(here, '..', 'fixtures', name), 'w') as target:
        json.dump(out, target, indent=1, ensure_ascii=False)
        target.write('\n')
