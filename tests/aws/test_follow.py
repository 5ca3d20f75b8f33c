from __future__ import annotations

from collections.abc import Callable
from typing import Any

import boto3
import pytest
from botocore.stub import Stubber
from tests.aws.answers import described

from tuppence.aws import follow
from tuppence.aws.follow import LogReader
from tuppence.aws.jobs import Phase, job_of
from tuppence.storage import AwsError

STREAM = "tuppence-1/algo-1-1700000000"


@pytest.fixture
def logs(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    made = boto3.client("logs", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    monkeypatch.setattr(follow, "client", lambda name, region=None: made)
    return Stubber(made)


def add(logs: Stubber, token: str | None, lines: list[str], following: str) -> None:
    asked = {"logGroupName": follow.LOG_GROUP, "logStreamName": STREAM, "startFromHead": True, "limit": 10_000}
    events = [{"timestamp": 0, "message": line} for line in lines]
    logs.add_response(
        "get_log_events",
        {"events": events, "nextForwardToken": following},
        asked | ({"nextToken": token} if token else {}),
    )


def test_each_line_is_read_once(logs: Stubber) -> None:
    streams = {"logStreams": [{"logStreamName": STREAM}]}
    prefix = {"logGroupName": follow.LOG_GROUP, "logStreamNamePrefix": "tuppence-1/"}
    reader = LogReader("tuppence-1", None)
    with logs:
        logs.add_response("describe_log_streams", streams, prefix)
        add(logs, None, ["a", "b"], "t1")
        add(logs, "t1", [], "t1")
        assert list(reader.new_lines()) == ["a", "b"]
        logs.add_response("describe_log_streams", streams, prefix)
        add(logs, "t1", ["c"], "t2")
        add(logs, "t2", [], "t2")
        assert list(reader.new_lines()) == ["c"]
        logs.assert_no_pending_responses()


def test_a_job_that_has_not_logged_yet_has_no_lines(monkeypatch: pytest.MonkeyPatch) -> None:
    def absent(name: str, region: str | None = None) -> Any:
        raise AwsError("no group", code="ResourceNotFoundException")

    monkeypatch.setattr(follow, "client", lambda name, region=None: _Absent(absent))
    assert LogReader("tuppence-1", None)._streams() == []


class _Absent:
    def __init__(self, refuse: Callable[..., Any]) -> None:
        self.get_paginator = refuse


def test_each_phase_is_told_once_until_the_end(monkeypatch: pytest.MonkeyPatch) -> None:
    ended = described(TrainingJobStatus="Completed", SecondaryStatus="Completed")
    first = described()
    first["SecondaryStatusTransitions"] = first["SecondaryStatusTransitions"][:2]
    answers = iter([job_of(first, "us-east-1"), job_of(described(), "us-east-1"), job_of(ended, "us-east-1")])
    monkeypatch.setattr(follow, "describe", lambda name, region: next(answers))
    told: list[Phase] = []
    waited: list[float] = []
    job = follow.follow("tuppence-1", None, on_phase=told.append, sleep=waited.append)
    assert job.status == "Completed"
    assert [phase.status for phase in told] == ["Starting", "Downloading", "Training"]
    assert len(waited) == 2
