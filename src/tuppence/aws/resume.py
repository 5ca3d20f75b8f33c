"""`resume`: another job on the same output, with what is left of the cap and with the same code and inputs.

They are in S3 under keys of their content, so the new job continues exactly what the earlier one did.
"""

from __future__ import annotations

import contextlib
import dataclasses
import datetime
from collections.abc import Mapping
from typing import Any

from tuppence.aws import code
from tuppence.aws.account import find_account
from tuppence.aws.at_output import spent_at
from tuppence.aws.job import MOST_SECONDS, JobPlan, request_of
from tuppence.aws.jobs import Job
from tuppence.aws.launch import job_name, start
from tuppence.aws.order import CHANNEL
from tuppence.aws.quotas import find_quota, require_quota
from tuppence.aws.receipt import order_of
from tuppence.aws.time_limits import ASSUMED_PARAMETERS, save_seconds, time_limits
from tuppence.aws.validation import validate
from tuppence.core.errors import InputError
from tuppence.storage import RemoteStore, open_store, split_url


@dataclasses.dataclass(frozen=True)
class Resumption:
    """A job that continues another one.

    Attributes:
        cap_usd, spent_usd: of all attempts at the output.
    """

    plan: JobPlan
    request: Mapping[str, Any]
    cap_usd: float
    spent_usd: float
    bucket: str

    def start(self) -> str:
        """Starts the job; returns its name."""
        store = open_store(f"s3://{self.bucket}")
        assert isinstance(store, RemoteStore)
        return start(self.plan, self.request, store)

    def as_dict(self) -> dict[str, Any]:
        """For JSON."""
        return {
            "job": self.plan.name,
            "output": self.plan.order.output,
            "cap_usd": self.cap_usd,
            "spent_usd": round(self.spent_usd, 6),
            "worst_case_usd": round(self.plan.worst_case_usd, 6),
            "max_runtime_seconds": self.plan.max_runtime,
            "max_wait_seconds": self.plan.max_wait,
            "request": self.request,
        }


def prepare_resumption(
    job: Job,
    *,
    budget_usd: float | None = None,
    max_wait_hours: float | None = None,
    now: datetime.datetime | None = None,
) -> Resumption:
    """Decides about a job that continues another one; nothing is started.

    Args:
        budget_usd: a new cap of all attempts together; by default the earlier one.

    Raises:
        InputError: the job still runs, it has completed, or too little of the cap is left.
    """
    if not job.ended:
        raise InputError(f"{job.name} is {job.status}", f"tuppence aws stop {job.name}, or wait for its end")
    order = order_of(job)
    cap = budget_usd or order.cap_usd
    if cap is None:
        raise InputError(f"'{order.verb}' keeps no state that a job could continue", "launch it again")
    if not 0 < cap < 1e6:
        raise InputError(f"--budget {cap:g} is no limit", "give a number above zero")
    spent = spent_at(order.output)
    require_quota(find_quota(order.instances[0], spot=order.spot, region=job.region), order.count, job.region)
    limits = time_limits(
        cap - spent,
        order.rate_usd_per_hour,
        spot=order.spot,
        lead=order.lead_seconds,
        save=save_seconds(ASSUMED_PARAMETERS),
        wait_hours=max_wait_hours,
        most_seconds=_longest(job.region),
    )
    uris = {
        channel["ChannelName"]: channel["DataSource"]["S3DataSource"]["S3Uri"]
        for channel in job.description["InputDataConfig"]
    }
    bucket = split_url(uris[CHANNEL])[0].removeprefix("s3://").partition("/")[0]
    name = job_name(order.verb, order.output, now)
    entrypoint = job.description["AlgorithmSpecification"]["ContainerEntrypoint"]
    plan = JobPlan(
        name=name,
        order=dataclasses.replace(order, cap_usd=cap),
        region=job.region,
        role_arn=job.description["RoleArn"],
        code_uri=uris.pop(code.CHANNEL),
        order_uri=f"s3://{bucket}/jobs/{name}/order",
        output_uri=f"s3://{bucket}/jobs/{name}",
        code_sha256=entrypoint[-1],
        inputs={channel: uri for channel, uri in uris.items() if channel != CHANNEL},
        max_runtime=limits.max_runtime,
        max_wait=limits.max_wait,
        environment=job.description.get("Environment", {}),
    )
    request = request_of(plan)
    volume = job.description["ResourceConfig"].get("VolumeSizeInGB")
    if "VolumeSizeInGB" in request["ResourceConfig"] and volume:
        request["ResourceConfig"]["VolumeSizeInGB"] = volume
    validate("sagemaker", "CreateTrainingJob", request)
    return Resumption(plan, request, cap, spent, bucket)


def _longest(region: str) -> int:
    """The longest run that the stack of the region allows; AWS's own limit without one."""
    with contextlib.suppress(InputError):
        return find_account(region).max_runtime or MOST_SECONDS
    return MOST_SECONDS
