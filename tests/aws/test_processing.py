"""The request of a processing job passes AWS's own description of the operation."""

from __future__ import annotations

from dataclasses import replace

import pytest

from tuppence.aws.order import Order
from tuppence.aws.processing import MOST_MACHINES, MOST_SECONDS, ProcessingPlan, request_of
from tuppence.aws.validation import validate
from tuppence.core.errors import InputError

ORDER = Order(
    verb="data prepare",
    words=("s3://b/texts",),
    line=("s3://b/texts",),
    output="s3://b/data",
    cap_usd=1.0,
    rate_usd_per_hour=0.46,
    rate_source="a list",
    instances=("ml.m5.xlarge",),
    count=2,
    spot=False,
    region="us-east-1",
    lead_seconds=300.0,
    tail_seconds=30.0,
)
PLAN = ProcessingPlan(
    name="tuppence-data-prepare-data-1",
    order=ORDER,
    region="us-east-1",
    role_arn="arn:aws:iam::123456789012:role/tuppence",
    code_sha256="0" * 64,
    inputs={"code": "s3://b/code/1", "order": "s3://b/jobs/1/order", "input-0": "s3://b/inputs/2"},
    max_runtime=3600,
    volume_gb=30,
)


def test_the_request_is_one_that_aws_accepts() -> None:
    request = request_of(PLAN)
    validate("sagemaker", "CreateProcessingJob", request)
    assert request["ProcessingResources"]["ClusterConfig"]["InstanceCount"] == 2
    assert {tag["Key"]: tag["Value"] for tag in request["Tags"]}["created-by"] == "tuppence"
    assert "cpu" in request["AppSpecification"]["ImageUri"]


def test_code_order_and_files_go_to_every_machine() -> None:
    inputs = {one["InputName"]: one["S3Input"] for one in request_of(PLAN)["ProcessingInputs"]}
    assert set(inputs) == {"code", "order", "input-0"}
    for name, source in inputs.items():
        assert source["LocalPath"] == f"/opt/ml/processing/input/{name}"  # AWS takes no other place
        assert source["S3DataDistributionType"] == "FullyReplicated"
        assert source["S3Uri"].endswith("/")


def test_python_starts_the_entry_from_the_code_channel() -> None:
    words = request_of(PLAN)["AppSpecification"]["ContainerEntrypoint"]
    assert words[1:3] == ["env", "PYTHONPATH=/opt/ml/processing/input/code"]
    assert words[-2:] == ["0" * 64, "tuppence.aws.processing_entry"]


def test_the_worst_case_counts_what_is_billed_around_the_limit() -> None:
    assert PLAN.worst_case_usd == pytest.approx((3600 + 300 + 120 + 30) / 3600 * 0.46)


@pytest.mark.parametrize(
    ("plan", "complaint"),
    [
        (replace(PLAN, max_runtime=MOST_SECONDS + 1), "MaxRuntimeInSeconds"),
        (replace(PLAN, order=replace(ORDER, count=MOST_MACHINES + 1)), "InstanceCount"),
        (replace(PLAN, order=replace(ORDER, instances=("ml.nope",))), "InstanceType"),
        (replace(PLAN, name="under_score"), "ProcessingJobName"),
    ],
)
def test_what_aws_would_refuse_is_named(plan: ProcessingPlan, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        validate("sagemaker", "CreateProcessingJob", request_of(plan))
