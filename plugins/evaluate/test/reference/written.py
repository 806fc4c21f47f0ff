"""Lets lm-evaluation-harness 0.4.13 write its own files for arc_easy, 2 shots, on the small data of
../fixtures/data: ../fixtures/written, without what describes the machine. Usage:
written.py MODEL_FOLDER. Modules that lm-eval imports and this task does not use may be stand-ins.
"""
import glob
import json
import os
import shutil
import subprocess
import sys
import tempfile

import lm_eval

here = os.path.dirname(os.path.abspath(__file__))
fixtures = os.path.join(here, '..', 'fixtures')
harness = os.path.join(os.path.dirname(lm_eval.__file__), 'tasks')
work = tempfile.mkdtemp()
with open(os.path.join(work, 'arc_easy.yaml'), 'w') as task:
    task.write(
        f'include: {harness}/arc/arc_easy.yaml\ntask: arc_easy\ndataset_path: json\n'
        'dataset_name: null\nvalidation_split: null\ndataset_kwargs:\n  data_files:\n'
        + ''.join(f'    {name}: {fixtures}/data/arc_easy/{name}.jsonl\n' for name in ['train', 'test'])
    )
out = os.path.join(work, 'out')
subprocess.run(
    [
        *[sys.executable, '-m', 'lm_eval', 'run', '--model', 'hf', '--tasks', 'arc_easy'],
        *['--model_args', f'pretrained={sys.argv[1]},dtype=float32', '--include_path', work],
        *['--output_path', out, '--log_samples', '--num_fewshot', '2', '--device', 'cpu'],
    ],
    check=True,
    env={**os.environ, 'HF_HUB_OFFLINE': '1', 'HF_DATASETS_OFFLINE': '1'},
)
shutil.rmtree(os.path.join(fixtures, 'written'), ignore_errors=True)
shutil.copytree(glob.glob(os.path.join(out, '*'))[0], os.path.join(fixtures, 'written'))
file = glob.glob(os.path.join(fixtures, 'written', 'results_*.json'))[0]
kept = ['results', 'versions', 'n-shot', 'higher_is_better', 'n-samples', 'date']
with open(file) as source:
    results = {key: value for key, value in json.load(source).items() if key in kept}
with open(file, 'w') as target:
    json.dump(results, target, indent=1)
    target.write('\n')
