"""Metrics that CloudWatch reads from the log of a job: names, and the regular expressions that find their numbers.

The lines come from `training.tracking.MetricLines`. AWS takes up to 40 definitions with 500 characters each.
"""

from __future__ import annotations

from tuppence.training.tracking import METRIC_LINE

METRICS = {
    "train:loss": "loss",
    "train:learning_rate": "learning_rate",
    "train:grad_norm": "grad_norm",
    "train:tokens": "tokens",
    "train:tokens_per_second": "tokens_per_second",
    "train:mfu": "mfu",
    "validation:loss": "val_loss",
    "validation:accuracy": "val_accuracy",
    "job:step": "step",
    "job:dollars": "dollars",
}
"""Name in CloudWatch → key of metrics.jsonl."""
_NUMBER = r"(-?[0-9][0-9.]*(?:e[-+]?[0-9]+)?)"


def metric_definitions() -> list[dict[str, str]]:
    """MetricDefinitions of CreateTrainingJob.

    Example:
        >>> metric_definitions()[0]
        {'Name': 'train:loss', 'Regex': 'metric:.* loss=(-?[0-9][0-9.]*(?:e[-+]?[0-9]+)?)'}
    """
    return [{"Name": name, "Regex": f"{METRIC_LINE}.* {key}={_NUMBER}"} for name, key in METRICS.items()]
