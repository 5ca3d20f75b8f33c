from __future__ import annotations

import json
from typing import Any

import pytest
from tests.aws.answers import described
from tests.aws.test_job import PLAN
from tests.aws.test_order import ORDER

from tuppence.aws.job import request_of
from tuppence.aws.jobs import Job, job_of
from tuppence.aws.receipt import receipt_of
from tuppence.core.errors import InputError

ENDED = {"TrainingJobStatus": "Completed", "SecondaryStatus": "Completed"}


def job(**changes: Any) -> Job:
    request = request_of(PLAN)
    taken = ("InputDataConfig", "AlgorithmSpecification", "RoleArn", "StoppingCondition")
    return job_of(described(PLAN.name, **{name: request[name] for name in taken}, **changes), "us-east-1")


def ledger(*rows: dict[str, Any]) -> bytes:
    return b"".join(json.dumps({"rate_usd_per_hour": 0.7364, **row}).encode() + b"\n" for row in rows)


@pytest.fixture
def stored(objects: dict[str, bytes]) -> dict[str, bytes]:
    objects["s3://b/jobs/j/order/order.json"] = ORDER.as_text().encode()
    return objects


def test_a_receipt_compares_the_ledger_with_the_billed_seconds(stored: dict[str, bytes]) -> None:
    stored["s3://b/run/ledger.jsonl"] = ledger(
        {"attempt": 1, "event": "end", "seconds": 600.0, "job": "tuppence-other"},
        {"attempt": 2, "event": "end", "seconds": 1800.0, "job": PLAN.name},
        {"attempt": 3, "event": "end", "seconds": 1830.0, "job": PLAN.name},
    )
    found = receipt_of(job(**ENDED, BillableTimeInSeconds=1800, TrainingTimeInSeconds=3600))
    assert found.billed_usd == pytest.approx(0.7364 / 2)
    assert found.ledger_usd == pytest.approx(3630 / 3600 * 0.7364)
    assert found.run_usd == pytest.approx(4230 / 3600 * 0.7364)
    assert found.saved_share == pytest.approx(0.5)
    spot, rest = found.differences()
    assert "50% fewer seconds" in spot
    assert f"${30 / 3600 * 0.7364:.4f} more" in rest
    assert "ledger   $0.7425 in 2 attempts; the whole run $0.8653, cap $5.00" in found.text()
    assert json.loads(json.dumps(found.as_dict()))["attempts"] == 2


def test_equal_ledger_and_bill_need_no_explanation(stored: dict[str, bytes]) -> None:
    stored["s3://b/run/ledger.jsonl"] = ledger({"attempt": 1, "event": "end", "seconds": 3600.0, "job": PLAN.name})
    found = receipt_of(job(**ENDED, BillableTimeInSeconds=3600, TrainingTimeInSeconds=3600))
    assert found.differences() == []


def test_a_job_without_a_line_in_the_ledger_says_so(stored: dict[str, bytes]) -> None:
    (said,) = receipt_of(job(**ENDED, BillableTimeInSeconds=60, TrainingTimeInSeconds=60)).differences()
    assert "no line of this job" in said


def test_a_job_of_somebody_else_has_no_receipt(objects: dict[str, bytes]) -> None:
    with pytest.raises(InputError, match="has no order"):
        receipt_of(job_of(described(), "us-east-1"))
