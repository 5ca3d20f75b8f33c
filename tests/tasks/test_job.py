"""Each training verb has one `Job`."""

from __future__ import annotations

import inspect
from pathlib import Path
from typing import Any

import pytest
from tests.tasks.toy_job import toy_job

from tuppence.cli.places import Kind, verbs
from tuppence.tasks.classify import ClassifyJob
from tuppence.tasks.dpo import DPOJob
from tuppence.tasks.instruct import InstructJob
from tuppence.tasks.job import Job
from tuppence.tasks.ppo.run import PPOJob
from tuppence.tasks.pretrain import PretrainJob
from tuppence.tasks.reward import RewardJob

JOBS = (PretrainJob, ClassifyJob, InstructJob, RewardJob, DPOJob, PPOJob)


def test_the_verbs_of_jobs_are_the_verbs_that_write_a_run() -> None:
    training = {words for words, verb in verbs() if Kind.OUTPUT_RUN in verb.places.values()}
    assert sorted(job.verb for job in JOBS) == sorted(training)


@pytest.mark.parametrize("job", JOBS)
def test_every_job_is_complete(job: type[Job[Any]]) -> None:
    assert not inspect.isabstract(job)


def test_only_pretraining_has_batches_of_equal_length_that_can_be_compiled() -> None:
    assert [job for job in JOBS if job.compiles] == [PretrainJob]


def test_a_job_measures_nothing_unless_it_says_so(tmp_path: Path) -> None:
    job = toy_job(tmp_path)
    assert Job.measure(job) == {}
    assert Job.closing == 0
    assert [one for one in JOBS if one.measure is not Job.measure] == [ClassifyJob, PPOJob]
