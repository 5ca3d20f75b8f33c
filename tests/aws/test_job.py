from __future__ import annotations

import dataclasses

import pytest
from tests.aws.test_order import ORDER

from tuppence.aws.job import JobPlan, request_of
from tuppence.aws.validation import problems
from tuppence.core.errors import InputError

PLAN = JobPlan(
    name="tuppence-pretrain-tiny-20261128-120000",
    order=ORDER,
    region="us-east-1",
    role_arn="arn:aws:iam::123456789012:role/tuppence",
    code_uri="s3://b/code/k",
    order_uri="s3://b/jobs/j/order",
    output_uri="s3://b/jobs/j",
    code_sha256="0" * 64,
    inputs={"input-0": "s3://b/inputs/k"},
    max_runtime=3600,
    max_wait=4000,
)


def changed(**order: object) -> JobPlan:
    return dataclasses.replace(PLAN, order=dataclasses.replace(ORDER, **order))  # type: ignore[arg-type]


def test_aws_would_take_the_request() -> None:
    assert problems("sagemaker", "CreateTrainingJob", request_of(PLAN)) == []


def test_python_becomes_process_1_behind_the_images_script() -> None:
    entrypoint = request_of(PLAN)["AlgorithmSpecification"]["ContainerEntrypoint"]
    assert entrypoint[0] == "/usr/local/bin/entrypoint.sh"
    assert entrypoint[1:] == ["env", "PYTHONPATH=/opt/ml/input/data/code", "python3", "-m", "start_job", "0" * 64]


def test_channels_are_prefixes_that_match_no_other_folder() -> None:
    channels = request_of(PLAN)["InputDataConfig"]
    uris = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in channels}
    assert uris == {"code": "s3://b/code/k/", "order": "s3://b/jobs/j/order/", "input-0": "s3://b/inputs/k/"}


def test_spot_has_a_longest_wait_and_on_demand_has_none() -> None:
    spot = request_of(PLAN)
    assert spot["EnableManagedSpotTraining"]
    assert spot["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600, "MaxWaitTimeInSeconds": 4000}
    plain = request_of(dataclasses.replace(changed(spot=False), max_wait=None))
    assert plain["StoppingCondition"] == {"MaxRuntimeInSeconds": 3600}
    assert plain["ResourceConfig"]["KeepAlivePeriodInSeconds"] == 0


def test_the_worst_case_is_what_aws_itself_would_still_bill() -> None:
    assert PLAN.worst_case_usd == pytest.approx((4000 + 120 + 30) / 3600 * 0.7364)
    on_demand = dataclasses.replace(changed(spot=False), max_wait=None)
    assert on_demand.worst_case_usd == pytest.approx((3600 + 300 + 120 + 30) / 3600 * 0.7364)


def test_a_type_with_disks_of_its_own_gets_no_volume() -> None:
    assert "VolumeSizeInGB" not in request_of(PLAN)["ResourceConfig"]
    assert request_of(changed(instances=("ml.m5.xlarge",)))["ResourceConfig"]["VolumeSizeInGB"] == 30


def test_fallbacks_are_preferences_in_order() -> None:
    resources = request_of(
        dataclasses.replace(changed(spot=False, instances=("ml.g5.xlarge", "ml.g6.xlarge"), count=2), max_wait=None)
    )["ResourceConfig"]
    assert resources["InstancePreferences"] == [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g6.xlarge"}]
    assert resources["InstanceCount"] == 2
    assert "InstanceType" not in resources


def test_cpu_and_gpu_need_different_images() -> None:
    image = request_of(changed(instances=("ml.m5.xlarge",)))["AlgorithmSpecification"]["TrainingImage"]
    assert image.endswith("pytorch:2.13-cpu-amzn2023-sagemaker")
    with pytest.raises(InputError, match="different images"):
        request_of(changed(instances=("ml.m5.xlarge", "ml.g5.xlarge")))


def test_more_inputs_than_aws_takes_are_refused() -> None:
    inputs = {f"input-{number}": "s3://b/x" for number in range(19)}
    with pytest.raises(InputError, match="19 inputs"):
        request_of(dataclasses.replace(PLAN, inputs=inputs))
