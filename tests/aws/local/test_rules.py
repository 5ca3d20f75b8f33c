"""Rules of AWS that its descriptions do not hold."""

from __future__ import annotations

import pytest
from tests.aws.local.jobs import job, spot

from tuppence.aws.local.rules import training_rules


def test_good_jobs_break_no_rule():
    assert training_rules(job("s3://b", ["true"])) == []
    assert training_rules(spot("s3://b", ["true"])) == []


@pytest.mark.parametrize(
    ("request_", "rule"),
    [
        (spot("s3://b", ["true"], runtime=100, wait=99), "greater than or equal to MaxRuntimeInSeconds"),
        (job("s3://b", ["true"], EnableManagedSpotTraining=True), "It must be present"),
        (
            job("s3://b", ["true"], StoppingCondition={"MaxRuntimeInSeconds": 1, "MaxWaitTimeInSeconds": 1}),
            "EnableManagedSpotTraining only",
        ),
        (job("s3://b", ["true"], StoppingCondition={"MaxRuntimeInSeconds": 2_419_201}), "28 days"),
        (job("s3://b", ["true"], ResourceConfig={"InstanceCount": 1}), "InstanceType or InstancePreferences"),
        (
            spot(
                "s3://b",
                ["true"],
                ResourceConfig={"InstancePreferences": [{"InstanceType": "ml.g5.xlarge", "InstanceCount": 1}]},
            ),
            "EnableManagedSpotTraining exclude",
        ),
        (
            job("s3://b", ["true"], ResourceConfig={"InstancePreferences": [{"InstanceType": "ml.g5.xlarge"}]}),
            "InstanceCount must be set",
        ),
        (
            job(
                "s3://b",
                ["true"],
                ResourceConfig={"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeKmsKeyId": "k"},
            ),
            "local storage",
        ),
        (job("s3://b", ["true"], Tags=[{"Key": "aws:x", "Value": ""}]), "reserved"),
        (job("s3://b", ["true"], Tags=[{"Key": "x", "Value": ""}] * 2), "only once in Tags"),
    ],
)
def test_a_broken_rule_is_named(request_, rule):
    broken = training_rules(request_)
    assert len(broken) == 1
    assert rule in broken[0]
