"""SageMaker's operations on training jobs, by name."""

from __future__ import annotations

import contextlib
import math
import re
from typing import Any

from tuppence.aws.local.jobs import Jobs
from tuppence.aws.local.layout import is_in_base
from tuppence.aws.local.logs import TRAINING_GROUP
from tuppence.aws.local.record import ENDED, Job
from tuppence.aws.local.replies import RefusedError, page
from tuppence.aws.local.rules import training_rules

_COPIED = (
    "HyperParameters",
    "AlgorithmSpecification",
    "RoleArn",
    "InputDataConfig",
    "OutputDataConfig",
    "VpcConfig",
    "StoppingCondition",
    "CheckpointConfig",
    "TensorBoardOutputConfig",
    "ExperimentConfig",
    "Environment",
    "RetryStrategy",
    "RemoteDebugConfig",
    "InfraCheckConfig",
    "MlflowConfig",
)


class TrainingOperations:
    """CreateTrainingJob and so on: a request's parameters to its answer."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs

    def CreateTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        broken = [*training_rules(request), *_not_rehearsed(request)]
        if broken:
            raise RefusedError("ValidationException", "; ".join(broken))
        sources = [channel["DataSource"]["S3DataSource"] for channel in request.get("InputDataConfig", [])]
        job = self.jobs.create("training", request["TrainingJobName"], request, sources)
        return {"TrainingJobArn": job.arn}

    def DescribeTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.find("training", request["TrainingJobName"])
        with self.jobs.book.lock:
            return self._describe(job)

    def ListTrainingJobs(self, request: dict[str, Any]) -> dict[str, Any]:
        wanted = request.get("WarmPoolStatusEquals")
        answer: dict[str, Any] = self.jobs.list("training", request, "TrainingJobSummaries", self._summary)
        if wanted:
            rows = answer["TrainingJobSummaries"]
            answer["TrainingJobSummaries"] = [
                row for row in rows if row.get("WarmPoolStatus", {}).get("Status") == wanted
            ]
        return answer

    def StopTrainingJob(self, request: dict[str, Any]) -> None:
        self.jobs.stop("training", request["TrainingJobName"])

    def UpdateTrainingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        """Changes the time for which the warm pool is kept, as far as AWS allows changes that matter here."""
        job = self.jobs.find("training", request["TrainingJobName"])
        seconds = request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds")
        if seconds is not None:
            with self.jobs.book.changing(job):
                available = job.status in ENDED and self._warm_pool(job).get("Status") == "Available"
                job.request["ResourceConfig"]["KeepAlivePeriodInSeconds"] = seconds
                if available:
                    assert job.ended is not None
                    ends = job.ended + self.jobs.site.clock.real_seconds(seconds)
                    job.kept_until = max(ends, self.jobs.site.clock.stamp())
        return {"TrainingJobArn": job.arn}

    def DeleteTrainingJob(self, request: dict[str, Any]) -> None:
        job = self.jobs.find("training", request["TrainingJobName"])
        if self._warm_pool(job).get("Status") == "Available":
            raise RefusedError("ResourceInUse", f"The training job {job.name} retains a warm pool.")
        self.jobs.delete("training", job.name)

    def AddTags(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.tagged(request["ResourceArn"])
        with self.jobs.book.changing(job):
            new = {tag["Key"]: tag["Value"] for tag in [*job.tags, *request["Tags"]]}
            if len(new) > 50:
                raise RefusedError("ValidationException", "a resource can have at most 50 tags")
            job.tags = [{"Key": key, "Value": value} for key, value in new.items()]
            return {"Tags": job.tags}

    def ListTags(self, request: dict[str, Any]) -> dict[str, Any]:
        rows: list[dict[str, Any]] = [dict(tag) for tag in self.jobs.tagged(request["ResourceArn"]).tags]
        return page(rows, request, "Tags")

    def DeleteTags(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.tagged(request["ResourceArn"])
        with self.jobs.book.changing(job):
            job.tags = [tag for tag in job.tags if tag["Key"] not in request["TagKeys"]]
        return {}

    def _summary(self, job: Job) -> dict[str, Any]:
        pool = self._warm_pool(job)
        return _present(
            TrainingJobName=job.name,
            TrainingJobArn=job.arn,
            CreationTime=job.created,
            TrainingEndTime=job.ended,
            LastModifiedTime=job.modified,
            TrainingJobStatus=job.status,
            SecondaryStatus=job.secondary,
            WarmPoolStatus=pool or None,
        )

    def _describe(self, job: Job) -> dict[str, Any]:
        resources = job.resources
        if "InstancePreferences" in resources and job.selected:
            resources |= {"SelectedInstanceType": job.selected, "SelectedInstanceCount": job.count()}
        return _present(
            **{name: job.request[name] for name in _COPIED if name in job.request},
            TrainingJobName=job.name,
            TrainingJobArn=job.arn,
            TrainingJobStatus=job.status,
            SecondaryStatus=job.secondary,
            FailureReason=job.failure,
            ResourceConfig=resources,
            ModelArtifacts={"S3ModelArtifacts": job.artifacts} if job.artifacts else None,
            CreationTime=job.created,
            TrainingStartTime=job.started,
            TrainingEndTime=job.ended if job.started else None,
            LastModifiedTime=job.modified,
            SecondaryStatusTransitions=job.transitions,
            EnableNetworkIsolation=job.request.get("EnableNetworkIsolation", False),
            EnableInterContainerTrafficEncryption=job.request.get("EnableInterContainerTrafficEncryption", False),
            EnableManagedSpotTraining=job.spot,
            TrainingTimeInSeconds=math.ceil(job.seconds) if job.started and job.ended else None,
            BillableTimeInSeconds=billable_seconds(job) if job.ended else None,
            WarmPoolStatus=self._warm_pool(job) or None,
            FinalMetricDataList=self._metrics(job) or None,
        )

    def _metrics(self, job: Job) -> list[dict[str, Any]]:
        """The last value of each metric, found in the log by the regular expressions of MetricDefinitions."""
        found: dict[str, dict[str, Any]] = {}
        definitions = job.request["AlgorithmSpecification"].get("MetricDefinitions", [])
        for event in self.jobs.site.logs.of_job(TRAINING_GROUP, job.name) if definitions else []:
            for definition in definitions:
                for value in re.findall(definition["Regex"], event["message"]):
                    with contextlib.suppress(ValueError, TypeError):  # several groups, or no number
                        row = {"Value": float(value), "Timestamp": event["timestamp"] / 1000}
                        found[definition["Name"]] = {"MetricName": definition["Name"], **row}
        return list(found.values())

    def _warm_pool(self, job: Job) -> dict[str, Any]:
        """WarmPoolStatus; empty without a warm pool. It exists from the end of the job on."""
        if job.ended is None or job.status != "Completed" or not (_keep_alive(job) or job.kept_until):
            return {}
        clock, ends = self.jobs.site.clock, self._kept_until(job)
        now = clock.stamp()
        return {
            "Status": "Available" if now < ends else "Terminated",
            "ResourceRetainedBillableTimeInSeconds": math.ceil((min(now, ends) - job.ended) * clock.scale),
        }

    def _kept_until(self, job: Job) -> float:
        if job.kept_until is not None:
            return job.kept_until
        assert job.ended is not None
        return job.ended + self.jobs.site.clock.real_seconds(_keep_alive(job))


def billable_seconds(job: Job) -> int | None:
    """BillableTimeInSeconds of a job; None if it never had instances. Of a spot job, less the discount."""
    if job.started is None:
        return None
    return math.ceil(job.seconds * (1 - job.discount))


def _keep_alive(job: Job) -> float:
    return float(job.resources.get("KeepAlivePeriodInSeconds", 0))


def _present(**members: Any) -> dict[str, Any]:
    return {name: value for name, value in members.items() if value is not None}


def _not_rehearsed(request: dict[str, Any]) -> list[str]:
    """What AWS can do and the rehearsal cannot."""
    specification = request.get("AlgorithmSpecification", {})
    found = []
    if "ContainerEntrypoint" not in specification:
        found.append("the rehearsal has no images: it runs ContainerEntrypoint, which is missing")
    for channel in request.get("InputDataConfig", []):
        if "S3DataSource" not in channel["DataSource"]:
            found.append(f"the rehearsal reads channels from S3 only, not {channel['ChannelName']}")
        elif channel.get("InputMode", specification.get("TrainingInputMode")) == "Pipe":
            found.append("the rehearsal has no Pipe mode")
    checkpoints = request.get("CheckpointConfig", {}).get("LocalPath", "/opt/ml/checkpoints")
    if not is_in_base(checkpoints):
        found.append("the rehearsal keeps checkpoints below /opt/ml only")
    return found
