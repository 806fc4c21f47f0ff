"""The means of lm-evaluation-harness over groups of tasks: ../fixtures/groups.json."""
from common import keep
from lm_eval.api.metrics import (
    aggregate_subtask_metrics,
    pooled_sample_stderr,
    unweighted_mean_stderr,
)

values, stderrs, sizes = [0.25, 0.5, 0.9], [0.05, 0.01, 0.2], [10, 200, 4]
keep(
    'groups.json',
    {
        'tasks': [
            {'value': value, 'stderr': stderr, 'size': size}
            for value, stderr, size in zip(values, stderrs, sizes)
        ],
        'weighted': {
            'value': aggregate_subtask_metrics(values, sizes, True),
            'stderr': float(pooled_sample_stderr(stderrs, sizes)),
        },
        'unweighted': {
            'value': aggregate_subtask_metrics(values, sizes, False),
            'stderr': float(unweighted_mean_stderr(stderrs)),
        },
    },
)
