"""Answers of SageMaker for tests, checked by botocore's own description of them."""

from __future__ import annotations

import datetime
from typing import Any

BEGAN = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)


def at(seconds: float) -> datetime.datetime:
    return BEGAN + datetime.timedelta(seconds=seconds)


def transitions(*phases: tuple[str, float]) -> list[dict[str, Any]]:
    """SecondaryStatusTransitions: each phase ends where the next begins."""
    ends = [start for _, start in phases[1:]]
    rows = [{"Status": name, "StartTime": at(start)} for name, start in phases]
    for row, end in zip(rows, ends, strict=False):
        row["EndTime"] = at(end)
    return rows


def described(name: str = "tuppence-pretrain-tiny-1", **changes: Any) -> dict[str, Any]:
    """An answer of DescribeTrainingJob."""
    answer = {
        "TrainingJobName": name,
        "TrainingJobArn": f"arn:aws:sagemaker:us-east-1:123456789012:training-job/{name}",
        "ModelArtifacts": {"S3ModelArtifacts": "s3://bucket/jobs/output"},
        "TrainingJobStatus": "InProgress",
        "SecondaryStatus": "Training",
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4200},
        "CreationTime": BEGAN,
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 30},
        "EnableManagedSpotTraining": True,
        "SecondaryStatusTransitions": transitions(("Starting", 0), ("Downloading", 60), ("Training", 300)),
    }
    return {**answer, **changes}
