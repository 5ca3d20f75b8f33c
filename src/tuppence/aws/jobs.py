"""The training jobs of an account and a region: what AWS says about them, and how they are stopped.

`tuppence aws jobs` and `stop` call it; `receipt`, `logs` and `resume` start from a `Job`.
"""

from __future__ import annotations

import datetime
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from typing import Any

from tuppence.aws.tags import PREFIX
from tuppence.core.errors import InputError
from tuppence.cost.rates import rate_of
from tuppence.storage import client

ENDED = ("Completed", "Failed", "Stopped")
"""The values of TrainingJobStatus after which nothing is billed any more."""
BILLED = ("Downloading", "DownloadingTrainingImage", "Training", "Uploading")
"""The values of SecondaryStatus that AWS bills. Waiting for capacity is `Starting` and `Pending`; `Stopping` and
`MaxRuntimeExceeded` follow one of these while the machine is still there."""
_OVER = ("Interrupted", "Starting", "Pending", *ENDED, "MaxWaitTimeExceeded", "Restarting")


@dataclass(frozen=True)
class Phase:
    """One of the job's SecondaryStatusTransitions.

    Attributes:
        start, end: UTC; `end` is None while it lasts.
    """

    status: str
    start: datetime.datetime
    end: datetime.datetime | None
    message: str


@dataclass(frozen=True)
class Job:
    """A training job, as DescribeTrainingJob describes it.

    Attributes:
        name: of the job.
        region: of AWS.
        status: InProgress, Stopping, Completed, Failed or Stopped.
        secondary: such as Downloading, Training, Interrupted.
        failure: FailureReason, empty without one.
        instance: the type that SageMaker selected, or the one that was asked for.
        count: of instances.
        spot: whether it is a managed spot job.
        created: UTC.
        billable_seconds, training_seconds: of one instance; None until the job has ended.
        phases: in order.
        description: the whole answer of AWS.
    """

    name: str
    region: str
    status: str
    secondary: str
    failure: str
    instance: str
    count: int
    spot: bool
    created: datetime.datetime
    billable_seconds: float | None
    training_seconds: float | None
    phases: tuple[Phase, ...]
    description: Mapping[str, Any]

    @property
    def ended(self) -> bool:
        return self.status in ENDED

    def billed_seconds(self, now: datetime.datetime | None = None) -> float:
        """Seconds of one instance that are billed so far: AWS's own number after the end, else from the phases."""
        if self.billable_seconds is not None:
            return self.billable_seconds
        return sum(billed_lives(self.phases, now or datetime.datetime.now(datetime.UTC)))

    def dollars(self) -> float | None:
        """What is billed so far, at today's on-demand price of the region; None if that is unknown."""
        try:
            rate = rate_of(self.instance, region=self.region)
        except InputError:
            return None
        return self.billed_seconds() / 3600 * self.count * rate.rate_usd_per_hour

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        stopping = self.description.get("StoppingCondition", {})
        dollars = self.dollars()
        return {
            "job": self.name,
            "region": self.region,
            "status": self.status,
            "secondary_status": self.secondary,
            "failure": self.failure,
            "instance": self.instance,
            "count": self.count,
            "spot": self.spot,
            "created": self.created.isoformat(),
            "billed_seconds": round(self.billed_seconds(), 1),
            "billed_usd": None if dollars is None else round(dollars, 6),
            "max_runtime_seconds": stopping.get("MaxRuntimeInSeconds"),
            "max_wait_seconds": stopping.get("MaxWaitTimeInSeconds"),
        }


def billed_lives(phases: tuple[Phase, ...], now: datetime.datetime) -> list[float]:
    """The billed seconds of each life of a job; an interruption ends one.

    A life is billed from its first `Downloading` until the machine is taken or the job ends.
    """
    lives: list[float] = []
    began: datetime.datetime | None = None
    for phase in phases:
        if began is None and phase.status in BILLED:
            began = phase.start
        elif began is not None and phase.status in _OVER:
            lives.append((phase.start - began).total_seconds())
            began = None
    if began is not None:
        end = phases[-1].end or now
        lives.append((max(end, began) - began).total_seconds())
    return lives


def describe(name: str, region: str | None = None) -> Job:
    """Asks AWS about a job.

    Raises:
        InputError: there is no such job, or AWS does not answer.
    """
    sagemaker = client("sagemaker", region=region)
    return job_of(sagemaker.describe_training_job(TrainingJobName=name), sagemaker.meta.region_name)


def list_jobs(region: str | None = None, most: int = 20) -> Iterator[Job]:
    """Yields the newest jobs whose names begin with `tuppence-`, the newest first."""
    sagemaker = client("sagemaker", region=region)
    pages = sagemaker.get_paginator("list_training_jobs").paginate(
        NameContains=PREFIX, SortBy="CreationTime", SortOrder="Descending"
    )
    names = (one["TrainingJobName"] for page in pages for one in page["TrainingJobSummaries"])
    for _, name in zip(range(most), (name for name in names if name.startswith(PREFIX)), strict=False):
        yield job_of(sagemaker.describe_training_job(TrainingJobName=name), sagemaker.meta.region_name)


def stop(name: str, region: str | None = None) -> Job:
    """Asks AWS to stop a job: SIGTERM, and SIGKILL two minutes later. A job that has ended is left alone."""
    job = describe(name, region)
    if not job.ended and job.status != "Stopping":
        client("sagemaker", region=region).stop_training_job(TrainingJobName=name)
        job = describe(name, region)
    return job


def job_of(answer: Mapping[str, Any], region: str) -> Job:
    """The job in an answer of DescribeTrainingJob."""
    resources = answer.get("ResourceConfig", {})
    preferences = resources.get("InstancePreferences") or [{}]
    asked = resources.get("InstanceType") or preferences[0].get("InstanceType", "")
    return Job(
        name=answer["TrainingJobName"],
        region=region,
        status=answer["TrainingJobStatus"],
        secondary=answer["SecondaryStatus"],
        failure=answer.get("FailureReason", ""),
        instance=resources.get("SelectedInstanceType") or asked,
        count=int(resources.get("SelectedInstanceCount") or resources.get("InstanceCount") or 1),
        spot=bool(answer.get("EnableManagedSpotTraining")),
        created=answer["CreationTime"],
        billable_seconds=_seconds(answer, "BillableTimeInSeconds"),
        training_seconds=_seconds(answer, "TrainingTimeInSeconds"),
        phases=tuple(
            Phase(one["Status"], one["StartTime"], one.get("EndTime"), one.get("StatusMessage", ""))
            for one in answer.get("SecondaryStatusTransitions", [])
        ),
        description=answer,
    )


def _seconds(answer: Mapping[str, Any], key: str) -> float | None:
    """A time of the answer, once the job has ended: before, AWS may give the time so far, or none."""
    value = answer.get(key)
    return float(value) if value is not None and answer["TrainingJobStatus"] in ENDED else None
