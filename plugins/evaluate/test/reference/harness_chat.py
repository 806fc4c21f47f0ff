"""As harness.py, with a chat template: ../fixtures/harness-chat.json. Usage: harness_chat.py MODEL_FOLDER"""
import os
import shutil
import sys
import tempfile

from common import keep, lm_eval, manager_of, plain, versions

template = (
    "{{ bos_token }}{% for message in messages %}<|{{ message['role'] }}|>\n"
    "{{ message['content'] | trim }}</s>\n{% endfor %}"
    "{% if add_generation_prompt %}<|assistant|>\n{% endif %}"
)
strict = "{% if messages[0]['role'] == 'system' %}{{ raise_exception('no system') }}{% endif %}" + template
folder = tempfile.mkdtemp()
shutil.copytree(sys.argv[1], folder, dirs_exist_ok=True)
runs = {
    'arc_easy': ('arc/arc_easy.yaml', ['train', 'test']),
    'winogrande': ('winogrande/default.yaml', ['train', 'validation']),
    'mmlu_anatomy': ('mmlu/default/mmlu_anatomy.yaml', ['dev', 'test']),
    'gsm8k': ('gsm8k/gsm8k.yaml', ['train', 'test']),
}
manager = manager_of(runs)
out = {'versions': versions(), 'runs': []}
# task, shots, template (or none), multi-turn, system instruction
for name, shots, chat, multiturn, system in [
    ('arc_easy', 2, template, True, None),
    ('arc_easy', 2, template, False, 'Be brief.'),
    ('winogrande', 1, template, True, None),
    ('mmlu_anatomy', 1, template, True, 'Answer with a letter.'),
    ('mmlu_anatomy', 1, template, False, 'Answer with a letter.\n'),
    ('mmlu_anatomy', 1, strict, True, None),
    ('mmlu_anatomy', 0, None, False, 'Answer with a letter.'),
    ('arc_easy', 1, None, False, 'Be brief.'),
    ('gsm8k', 1, template, True, None),
]:
    with open(os.path.join(folder, 'chat_template.jinja'), 'w') as target:
        target.write(chat or template)
    found = lm_eval.simple_evaluate(
        model='hf',
        model_args={'pretrained': folder, 'dtype': 'float32'},
        tasks=[f'my_{name}'],
        num_fewshot=shots,
        limit=2,
        device='cpu',
        batch_size=4,
        bootstrap_iters=1,
        log_samples=True,
        task_manager=manager,
        apply_chat_template=chat is not None,
        fewshot_as_multiturn=multiturn,
        system_instruction=system,
    )
    samples = {sample['doc_id']: sample for sample in found['samples'][f'my_{name}']}
    out['runs'].append(
        {
            'task': name,
            'shots': shots,
            'template': chat,
            'multiturn': multiturn,
            'system': system,
            'samples': [
                {
                    'requests': [
                        [one if isinstance(one, str) else '' for one in request]
                        for request in samples[at]['arguments']
                    ],
                    'resps': [one[0] for one in samples[at]['resps']],
                }
                for at in sorted(samples)
            ],
            'results': {
                key: plain(value)
                for key, value in found['results'][f'my_{name}'].items()
                if ',' in key
            },
        }
    )
    print(name, shots, multiturn, system)
keep('harness-chat.json', out)
