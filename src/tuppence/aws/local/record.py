"""The record of a job: what was asked, its statuses and seconds. Kept as one JSON file a job, so that it outlives the
process of the local SageMaker."""

from __future__ import annotations

import dataclasses
import json
import threading
from collections.abc import Iterator
from contextlib import contextmanager
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core.errors import InputError
from tuppence.core.files import read_json

ENDED = ("Completed", "Failed", "Stopped")
LONGEST_REASON = 1024  # FailureReason and ExitMessage, by AWS's description


@dataclass
class Job:
    """A training or processing job.

    Attributes:
        kind: "training" or "processing".
        request: the parameters of the call that created it.
        created, modified, started, ended: seconds since 1970.
        status: TrainingJobStatus or ProcessingJobStatus.
        transitions: the secondary statuses in order: Status, StartTime, EndTime (absent in the present one) and
            StatusMessage, as DescribeTrainingJob has them.
        seconds: scaled seconds with instances, from the beginning of Downloading, over all attempts.
        attempts: of each attempt: its scaled `seconds`, and how it ended (`by`).
        selected: the instance type, where the request gave a choice.
        discount: of a spot job, 1 - billable / training seconds.
        kept_until: when the warm pool ends, seconds since 1970; None without one.
    """

    kind: str
    name: str
    arn: str
    request: dict[str, Any]
    created: float
    modified: float
    status: str = "InProgress"
    transitions: list[dict[str, Any]] = field(default_factory=list)
    started: float | None = None
    ended: float | None = None
    seconds: float = 0.0
    attempts: list[dict[str, Any]] = field(default_factory=list)
    failure: str | None = None
    exit_message: str | None = None
    artifacts: str | None = None
    selected: str | None = None
    tags: list[dict[str, str]] = field(default_factory=list)
    discount: float = 0.0
    kept_until: float | None = None

    @property
    def secondary(self) -> str:
        """The present secondary status."""
        return str(self.transitions[-1]["Status"]) if self.transitions else "Starting"

    @property
    def spot(self) -> bool:
        return bool(self.request.get("EnableManagedSpotTraining"))

    @property
    def resources(self) -> dict[str, Any]:
        """ResourceConfig of a training job, ClusterConfig of a processing job."""
        if self.kind == "training":
            return dict(self.request.get("ResourceConfig", {}))
        return dict(self.request["ProcessingResources"]["ClusterConfig"])

    @property
    def instance_types(self) -> list[str]:
        """The types that the job can run on, the preferred one first."""
        preferences = self.resources.get("InstancePreferences")
        if preferences:
            return [str(preference["InstanceType"]) for preference in preferences]
        return [str(self.resources.get("InstanceType", "unknown"))]

    def count(self, instance: str | None = None) -> int:
        """Number of instances; of a job with preferences, if it runs on this type, by default on the selected one."""
        for preference in self.resources.get("InstancePreferences", []):
            if preference["InstanceType"] == (instance or self.selected) and "InstanceCount" in preference:
                return int(preference["InstanceCount"])
        return int(self.resources.get("InstanceCount", 1))

    def enter(self, status: str, message: str, stamp: float) -> None:
        """Appends a secondary status."""
        if self.transitions:
            self.transitions[-1]["EndTime"] = stamp
        self.transitions.append({"Status": status, "StartTime": stamp, "StatusMessage": message})
        self.modified = stamp


class Book:
    """All jobs of a rehearsal's folder. Jobs are read and changed under `lock`."""

    def __init__(self, folder: Path | None) -> None:
        self.folder = folder
        self.lock = threading.RLock()
        self.jobs: dict[tuple[str, str], Job] = {}
        if folder is not None:
            folder.mkdir(parents=True, exist_ok=True)
            for path in sorted(folder.glob("*.json")):
                job = _from_json(path)
                self.jobs[job.kind, job.name] = job

    def add(self, job: Job) -> None:
        with self.lock:
            self.jobs[job.kind, job.name] = job
            self._save(job)

    def remove(self, job: Job) -> None:
        with self.lock:
            del self.jobs[job.kind, job.name]
            if self.folder is not None:
                self._path(job).unlink(missing_ok=True)

    @contextmanager
    def changing(self, job: Job) -> Iterator[Job]:
        """Holds the lock during the block, and writes the job after it."""
        with self.lock:
            yield job
            self._save(job)

    def of_kind(self, kind: str) -> list[Job]:
        with self.lock:
            return [job for job in self.jobs.values() if job.kind == kind]

    def _save(self, job: Job) -> None:
        if self.folder is not None and (job.kind, job.name) in self.jobs:
            path = self._path(job)
            new = path.with_suffix(".new")  # not flushed to disk: a status must not wait for it
            new.write_text(json.dumps(dataclasses.asdict(job)), encoding="utf-8")
            new.replace(path)

    def _path(self, job: Job) -> Path:
        assert self.folder is not None
        return self.folder / f"{job.kind}-{job.name}.json"


def _from_json(path: Path) -> Job:
    try:
        return Job(**read_json(path))
    except TypeError as error:
        raise InputError(f"{path} is not the record of a job", "remove it, or give another folder") from error
