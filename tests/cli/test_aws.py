from __future__ import annotations

import json
from typing import Any

import pytest
from tests.aws.answers import described
from tests.cli.conftest import Call

from tuppence.aws import jobs
from tuppence.aws.jobs import Job, job_of

NAME = "tuppence-pretrain-tiny-1"


@pytest.fixture
def one_job(monkeypatch: pytest.MonkeyPatch) -> Job:
    job = job_of(
        described(NAME, TrainingJobStatus="Stopped", SecondaryStatus="Stopped", BillableTimeInSeconds=3600), "us-east-1"
    )
    monkeypatch.setattr(jobs, "list_jobs", lambda region, most: iter([job][:most]))
    return job


def test_jobs_shows_status_and_dollars(one_job: Job, call: Call) -> None:
    code, out, _ = call("aws", "jobs")
    assert code == 0
    row = next(line for line in out.splitlines() if NAME in line)
    assert "Stopped" in row
    assert "$0.74" in row
    assert "1 × ml.g4dn.xlarge, spot" in row


def test_jobs_answers_a_program_in_json(one_job: Job, call: Call) -> None:
    assert json.loads(call("aws", "jobs", "--json")[1]) == [one_job.as_dict()]


def test_stop_names_the_job_and_its_status(call: Call, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: list[Any] = []

    def stopped(name: str, region: str | None) -> Job:
        asked.append((name, region))
        return job_of(described(name, TrainingJobStatus="Stopping", SecondaryStatus="Stopping"), "eu-west-1")

    monkeypatch.setattr(jobs, "stop", stopped)
    assert call("aws", "stop", NAME, "--region", "eu-west-1")[1] == f"{NAME}: Stopping\n"
    assert asked == [(NAME, "eu-west-1")]
