from __future__ import annotations

import datetime
import time
from typing import Any

import pytest
from botocore.stub import Stubber
from tests.aws.answers import described
from tests.aws.test_order import ORDER

from tuppence.aws.billing import find_billing
from tuppence.core.errors import InputError

NAME = "tuppence-pretrain-tiny-1"


def phases(*rows: tuple[str, float]) -> list[dict[str, Any]]:
    """Transitions that began so many seconds ago."""
    now = datetime.datetime.now(datetime.UTC)
    starts = [now - datetime.timedelta(seconds=ago) for _, ago in rows]
    found: list[dict[str, Any]] = [
        {"Status": name, "StartTime": start} for (name, _), start in zip(rows, starts, strict=True)
    ]
    for row, end in zip(found, starts[1:], strict=False):
        row["EndTime"] = end
    return found


def test_aws_knows_when_this_machine_and_earlier_ones_were_billed(sagemaker: Stubber) -> None:
    rows = phases(
        ("Downloading", 900),
        ("Training", 800),
        ("Interrupted", 500),
        ("Starting", 490),
        ("Downloading", 100),
        ("Training", 40),
    )
    sagemaker.add_response("describe_training_job", described(SecondaryStatusTransitions=rows))
    billing = find_billing(ORDER, NAME, "us-east-1")
    assert time.time() - billing.since == pytest.approx(100, abs=2)
    assert billing.earlier_seconds == pytest.approx(400, abs=2)
    assert (billing.basis, billing.tail_seconds, billing.rate_source) == ("DescribeTrainingJob", 30.0, "a price list")


def test_without_the_right_to_ask_a_lead_is_assumed_and_said(monkeypatch: pytest.MonkeyPatch) -> None:
    def denied(name: str, region: str | None) -> None:
        raise InputError("access denied", "")

    monkeypatch.setattr("tuppence.aws.billing.describe", denied)
    billing = find_billing(ORDER, NAME, "us-east-1")
    assert time.time() - billing.since == pytest.approx(300, abs=2)
    assert billing.basis == "300 s of lead are assumed: access denied"


def test_a_lead_is_assumed_while_aws_lists_no_billed_phase(sagemaker: Stubber) -> None:
    rows = phases(("Downloading", 900), ("Training", 800), ("Interrupted", 500), ("Starting", 490))
    sagemaker.add_response("describe_training_job", described(SecondaryStatusTransitions=rows))
    billing = find_billing(ORDER, NAME, "us-east-1")
    assert time.time() - billing.since == pytest.approx(300, abs=2)
    assert billing.earlier_seconds == pytest.approx(400, abs=2)
    assert billing.basis.startswith("300 s of lead are assumed")


def test_a_rehearsed_clock_is_faster() -> None:
    billing = find_billing(ORDER, "", "us-east-1", scale=100.0)
    assert time.time() - billing.since == pytest.approx(3, abs=1)
    assert billing.tail_seconds == pytest.approx(0.3)
