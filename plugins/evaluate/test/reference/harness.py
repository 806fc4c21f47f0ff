"""Runs lm-evaluation-harness 0.4.13 on the small data of ../fixtures/data and keeps what it asked
and what it got: ../fixtures/harness.json. Usage: harness.py MODEL_FOLDER
"""
import sys

from common import keep, lm_eval, manager_of, plain, versions

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
    'truthfulqa_mc1': ('truthfulqa/truthfulqa_mc1.yaml', ['validation'], 0),
    'truthfulqa_mc2': ('truthfulqa/truthfulqa_mc2.yaml', ['validation'], 0),
    'pubmedqa': ('pubmedqa/pubmedqa.yaml', ['test'], 0),
    'medqa_4options': ('medqa/medqa.yaml', ['train', 'test'], 0),
    'wikitext': ('wikitext/wikitext.yaml', ['test'], 0),
}
out = {'versions': versions(), 'runs': []}
manager = manager_of(runs)
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
keep('harness.json', out)
