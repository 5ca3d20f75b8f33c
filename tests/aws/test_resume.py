from __future__ import annotations

import datetime
from types import SimpleNamespace
from typing import Any

import pytest
from tests.aws.test_job import PLAN
from tests.aws.test_receipt import job, ledger

from tuppence.aws import launch, resume
from tuppence.aws.account import Account
from tuppence.aws.order import Order
from tuppence.aws.quotas import Quota
from tuppence.aws.resume import prepare_resumption
from tuppence.core.errors import InputError

NOW = datetime.datetime(2026, 11, 29, tzinfo=datetime.UTC)
STOPPED = {"TrainingJobStatus": "Stopped", "SecondaryStatus": "Stopped", "BillableTimeInSeconds": 3600}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, objects: dict[str, bytes]) -> SimpleNamespace:
    found = SimpleNamespace(created=[], objects=objects)
    sagemaker = SimpleNamespace(create_training_job=lambda **request: found.created.append(request))
    monkeypatch.setattr(launch, "client", lambda service, region=None: sagemaker)
    monkeypatch.setattr(resume, "find_account", lambda region: Account("b", "r", region, (), 10_000))
    monkeypatch.setattr(resume, "find_quota", lambda instance, spot, region: Quota("q", 1.0))
    objects["s3://b/jobs/j/order/order.json"] = PLAN.order.as_text().encode()
    objects["s3://b/run/ledger.jsonl"] = ledger({"attempt": 1, "event": "end", "seconds": 3600.0, "job": PLAN.name})
    return found


def test_the_new_job_has_what_is_left_and_the_same_code_and_inputs(aws: SimpleNamespace) -> None:
    found = prepare_resumption(job(**STOPPED), now=NOW)
    assert (found.cap_usd, found.spent_usd) == (5.0, pytest.approx(0.7364))
    assert found.plan.max_runtime == 10_000  # what the stack allows; the cap would last longer
    assert found.start() == "tuppence-pretrain-run-20261129-000000"
    (request,) = aws.created
    uris = {one["ChannelName"]: one["DataSource"]["S3DataSource"]["S3Uri"] for one in request["InputDataConfig"]}
    assert uris["code"] == "s3://b/code/k/"
    assert uris["input-0"] == "s3://b/inputs/k/"
    order = Order.of_text(aws.objects["s3://b/jobs/tuppence-pretrain-run-20261129-000000/order/order.json"].decode())
    assert order == PLAN.order
    assert request["AlgorithmSpecification"]["ContainerEntrypoint"][-1] == PLAN.code_sha256


def test_a_cap_can_be_raised(aws: SimpleNamespace) -> None:
    assert prepare_resumption(job(**STOPPED), budget_usd=9.0, now=NOW).plan.order.cap_usd == 9.0
    least = prepare_resumption(job(**STOPPED), budget_usd=2.0, now=NOW)
    assert least.plan.max_runtime == int((2 - 0.7364) / 0.7364 * 3600 - 450)


@pytest.mark.parametrize(
    ("changes", "budget", "message"),
    [({}, None, "is InProgress"), (STOPPED, 0.74, "too little to start"), (STOPPED, -1.0, "is no limit")],
)
def test_what_cannot_be_continued_is_refused(
    aws: SimpleNamespace, changes: dict[str, Any], budget: float | None, message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepare_resumption(job(**changes), budget_usd=budget, now=NOW)
    assert aws.created == []
