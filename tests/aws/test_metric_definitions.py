from __future__ import annotations

import json
import re

import pytest

from tuppence.aws.metric_definitions import METRICS, metric_definitions
from tuppence.aws.validation import validate
from tuppence.training.tracking import metric_line

ROWS = [
    {"step": 20, "loss": 4.25, "learning_rate": 1e-05, "grad_norm": 0.5, "tokens": 640, "tokens_per_second": 2500.5},
    {"step": 20, "val_loss": 4.5, "val_accuracy": 0.875, "mfu": 0.03, "dollars": 0.0},
    {"step": 40, "loss": -1.5, "val_loss": None},
]


@pytest.mark.parametrize("row", ROWS)
def test_each_number_of_a_row_is_found_and_no_other(row: dict[str, float | None]) -> None:
    line = metric_line(row)
    found = {one["Name"]: re.search(one["Regex"], line) for one in metric_definitions()}
    numbers = {name: float(match[1]) for name, match in found.items() if match}
    assert numbers == {name: row[key] for name, key in METRICS.items() if row.get(key) is not None}


def test_other_lines_of_a_log_have_no_metrics() -> None:
    lines = ["step 20/100 · loss 4.250 · 2,500 tok/s", "  once upon a time loss=3 step=2", json.dumps({"loss": 2.0})]
    assert not [one for one in metric_definitions() for line in lines if re.search(one["Regex"], line)]


def test_aws_would_take_the_definitions() -> None:
    specification = {"TrainingInputMode": "File", "MetricDefinitions": metric_definitions()}
    validate(
        "sagemaker",
        "CreateTrainingJob",
        {
            "TrainingJobName": "tuppence-1",
            "RoleArn": "arn:aws:iam::123456789012:role/tuppence",
            "OutputDataConfig": {"S3OutputPath": "s3://bucket/x"},
            "AlgorithmSpecification": specification,
        },
    )
