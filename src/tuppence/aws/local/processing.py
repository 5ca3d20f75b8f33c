"""SageMaker's operations on processing jobs, by name."""

from __future__ import annotations

from typing import Any

from tuppence.aws.local.jobs import Jobs
from tuppence.aws.local.layout import is_in_base
from tuppence.aws.local.record import Job
from tuppence.aws.local.replies import RefusedError

_COPIED = (
    "ProcessingInputs",
    "ProcessingOutputConfig",
    "StoppingCondition",
    "AppSpecification",
    "Environment",
    "NetworkConfig",
    "RoleArn",
    "ExperimentConfig",
)


class ProcessingOperations:
    """CreateProcessingJob and so on: a request's parameters to its answer."""

    def __init__(self, jobs: Jobs) -> None:
        self.jobs = jobs

    def CreateProcessingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        broken = _not_rehearsed(request)
        if broken:
            raise RefusedError("ValidationException", "; ".join(broken))
        sources = [item["S3Input"] for item in request.get("ProcessingInputs", [])]
        return {
            "ProcessingJobArn": self.jobs.create("processing", request["ProcessingJobName"], request, sources).arn,
        }

    def DescribeProcessingJob(self, request: dict[str, Any]) -> dict[str, Any]:
        job = self.jobs.find("processing", request["ProcessingJobName"])
        with self.jobs.book.lock:
            answer = {name: job.request[name] for name in _COPIED if name in job.request}
            resources = job.resources
            if "InstancePreferences" in resources and job.selected:
                resources |= {"SelectedInstanceType": job.selected, "SelectedInstanceCount": job.count()}
            times = {"ProcessingStartTime": job.started} if job.started else {}
            return {**answer, "ProcessingResources": {"ClusterConfig": resources}, **times, **_summary(job)}

    def ListProcessingJobs(self, request: dict[str, Any]) -> dict[str, Any]:
        answer: dict[str, Any] = self.jobs.list("processing", request, "ProcessingJobSummaries", _summary)
        return answer

    def StopProcessingJob(self, request: dict[str, Any]) -> None:
        self.jobs.stop("processing", request["ProcessingJobName"])


def _summary(job: Job) -> dict[str, Any]:
    members = {
        "ProcessingJobName": job.name,
        "ProcessingJobArn": job.arn,
        "CreationTime": job.created,
        "ProcessingEndTime": job.ended,
        "LastModifiedTime": job.modified,
        "ProcessingJobStatus": job.status,
        "FailureReason": job.failure,
        "ExitMessage": job.exit_message,
    }
    return {name: value for name, value in members.items() if value is not None}


def _not_rehearsed(request: dict[str, Any]) -> list[str]:
    """What AWS refuses, or can do and the rehearsal cannot."""
    found = []
    if "ContainerEntrypoint" not in request["AppSpecification"]:
        found.append("the rehearsal has no images: it runs ContainerEntrypoint, which is missing")
    paths = []
    for item in request.get("ProcessingInputs", []):
        if "S3Input" not in item:
            found.append(f"the rehearsal reads inputs from S3 only, not {item['InputName']}")
        elif item["S3Input"].get("S3InputMode") == "Pipe":
            found.append("the rehearsal has no Pipe mode")
        else:
            paths.append(item["S3Input"].get("LocalPath", ""))
    outputs = request.get("ProcessingOutputConfig", {}).get("Outputs", [])
    paths += [item["S3Output"].get("LocalPath", "") for item in outputs if "S3Output" in item]
    found += [f"LocalPath must be below /opt/ml, it is {path[:60]!r}" for path in paths if not is_in_base(path)]
    return found
