"""Which status follows which, and what is billed, on machines without processes."""

from __future__ import annotations

import pytest
from tests.aws.local.jobs import job as request_of
from tests.aws.local.jobs import spot

from tuppence.aws.local.conditions import Conditions, Interruption
from tuppence.aws.local.life import INTERNAL_ERROR, STOP
from tuppence.aws.local.record import Job
from tuppence.aws.local.simulation import Transfers, live


class Sleep:
    """A program that works for some seconds, and needs others to end after SIGTERM."""

    def __init__(self, seconds, ending=5.0):
        self.seconds, self.ending, self.exit_code, self.began = seconds, ending, 0, []

    def start(self, job, now):
        self.began.append(now)
        self.ends = now + self.seconds

    def advance(self, until):
        return self.ends if self.ends <= until else None

    def terminate(self, now):
        self.ends = min(self.ends, now + self.ending)

    def kill(self, now):
        self.ends = now


def life(request, program=None, requests=(), **conditions):
    """The job after a life whose download takes 60 seconds and whose upload takes 10."""
    job = Job("training", "job", "arn", request, created=0.0, modified=0.0)
    return live(job, Conditions(spot_discount=0.0, **conditions), program or Sleep(100), Transfers(60, 10), requests)


def names(job):
    return " ".join(transition["Status"] for transition in job.transitions)


ON_DEMAND, SPOT = request_of("s3://b", ["true"]), spot("s3://b", ["true"])


@pytest.mark.parametrize(
    ("request_", "requests", "conditions", "expected", "seconds"),
    [
        (ON_DEMAND, [], {}, "Starting Downloading Training Uploading Completed", 170),
        (ON_DEMAND, [(30, STOP)], {}, "Starting Downloading Stopping Stopped", 30),
        (ON_DEMAND, [(90, STOP)], {}, "Starting Downloading Training Stopping Uploading Stopped", 105),
        (ON_DEMAND, [(165, STOP)], {}, "Starting Downloading Training Uploading Stopped", 170),
        (ON_DEMAND, [(5, STOP)], {"capacity_seconds": (9.0,)}, "Starting Stopping Stopped", 0),
        (
            ON_DEMAND,
            [],
            {"interruptions": (Interruption(10),)},  # never of an on-demand job
            "Starting Downloading Training Uploading Completed",
            170,
        ),
        (
            SPOT,
            [],
            {"interruptions": (Interruption(10),)},
            "Starting Downloading Training Interrupted Starting Downloading Training Uploading Completed",
            75 + 170,
        ),
        (
            SPOT,
            [],
            {"interruptions": (Interruption(10, "Downloading"), Interruption(4, "Uploading"))},
            "Starting Downloading Interrupted Starting Downloading Training Uploading Interrupted "
            "Starting Downloading Training Uploading Completed",
            10 + 164 + 170,
        ),
        (SPOT, [(71, STOP)], {"interruptions": (Interruption(10),)}, None, 75),
    ],
)
def test_statuses_and_billed_seconds(request_, requests, conditions, expected, seconds):
    job = life(request_, requests=requests, **conditions)
    assert names(job) == (expected or "Starting Downloading Training Interrupted Stopping Stopped")
    assert job.seconds == pytest.approx(seconds)


def test_sigkill_follows_120_seconds_after_sigterm():
    job = life(request_of("s3://b", ["true"], StoppingCondition={"MaxRuntimeInSeconds": 50}), Sleep(1e6, ending=1e6))
    assert names(job) == "Starting Downloading Training Stopping Uploading MaxRuntimeExceeded"
    assert job.seconds == 60 + 50 + 120 + 10


@pytest.mark.parametrize(("restarts", "seconds"), [(True, 60 + 45 + 60 + 55 + 10), (False, 60 + 45 + 60 + 10 + 10)])
def test_max_runtime_counts_anew_after_an_interruption_or_does_not(restarts, seconds):
    request = spot("s3://b", ["true"], runtime=50, wait=1000)
    job = life(request, Sleep(1e6), interruptions=(Interruption(40),), runtime_restarts=restarts)
    assert job.seconds == pytest.approx(seconds)


def test_max_wait_counts_from_the_creation():
    job = life(spot("s3://b", ["true"], runtime=100, wait=200), Sleep(1e6), capacity_seconds=(110.0,))
    assert names(job).endswith("Training Stopping Uploading MaxWaitTimeExceeded")
    assert job.seconds == 90 + 5 + 10


def test_max_pending_ends_the_wait_for_accelerated_instances_only():
    limits = {"MaxRuntimeInSeconds": 100, "MaxPendingTimeInSeconds": 1800}
    resources = {"InstanceType": "ml.g5.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1}
    waits = {"capacity_seconds": (2000.0,)}
    accelerated = request_of("s3://b", ["true"], StoppingCondition=limits, ResourceConfig=resources)
    job = life(accelerated, **waits)
    assert (names(job), job.ended) == ("Starting Stopping Stopped", 1800)
    resources = {**resources, "InstanceType": "ml.m5.large"}
    job = life(request_of("s3://b", ["true"], StoppingCondition=limits, ResourceConfig=resources), **waits)
    assert names(job).endswith("Completed")


def test_an_internal_error_is_retried_as_often_as_the_job_asks():
    failed = life(ON_DEMAND, internal_errors=frozenset({1}))
    assert (names(failed), failed.failure) == ("Starting Downloading Failed", INTERNAL_ERROR)
    retried = life(request_of("s3://b", ["true"], RetryStrategy={"MaximumRetryAttempts": 1}), internal_errors={1})
    assert names(retried) == "Starting Downloading Restarting Starting Downloading Training Uploading Completed"
    assert retried.seconds == 60 + 170
