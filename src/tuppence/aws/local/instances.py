"""The instances of a rehearsed job: folders and processes of this machine, which live as `life.py` says."""

from __future__ import annotations

import contextlib
import secrets
import shutil
import threading
from collections.abc import Callable
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuppence.aws.local.clock import ScaledClock
from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.container import Container
from tuppence.aws.local.layout import command, container_environment, host_names, inside, lay_out
from tuppence.aws.local.life import DONE, Outcome
from tuppence.aws.local.logs import PROCESSING_GROUP, TRAINING_GROUP, LogStore
from tuppence.aws.local.record import LONGEST_REASON, Job
from tuppence.aws.local.transfers import (
    S3,
    AbandonedError,
    Mirror,
    TransferError,
    download_source,
    upload_archive,
    upload_folder,
)

GONE = "InternalServerError: the rehearsal ended while the job ran"


@dataclass(frozen=True)
class Site:
    """What all jobs of a local SageMaker share.

    Attributes:
        folder: of the running jobs' files.
        client: of S3, for SageMaker's own copies.
        environment: for containers: endpoints, credentials and region.
        mark: the beginning of the marks of all containers.
    """

    folder: Path
    client: Any
    environment: dict[str, str]
    region: str
    clock: ScaledClock
    conditions: Conditions
    logs: LogStore
    mark: str


@dataclass
class Host:
    """One instance."""

    name: str
    label: str
    base: Path
    mirror: Mirror | None = None
    container: Container | None = None
    environment: dict[str, str] = field(default_factory=dict)


class Instances:
    """The instances of one job, one attempt after the other. Implements `life.Machine`.

    Args:
        number: of the job among those of this process.
    """

    def __init__(self, job: Job, site: Site, number: int) -> None:
        self.job, self.site, self._number = job, site, number
        self._folder = site.folder / f"{job.kind}-{job.name}"
        self._changed = threading.Condition()
        self._requests: list[str] = []
        self._done = self._closed = self._terminated = False
        self._worker: threading.Thread | None = None
        self._syncing = threading.Event()
        self._syncer: threading.Thread | None = None
        self._abandoned = threading.Event()
        self._outcome = Outcome()
        self._hosts: list[Host] = []
        self._attempt, self._instance, self._ran = 0, "", False
        self._generation = 0  # of the work in progress: reports of earlier work do not count

    def ask(self, request: str) -> None:
        """Asks for a STOP or an INTERRUPTION, from another thread."""
        with self._changed:
            self._requests.append(request)
            self._changed.notify_all()

    def close(self) -> None:
        """Kills everything, and makes all waiting end in an error, because the local SageMaker ends."""
        with self._changed:
            self._closed = True
            self._abandoned.set()
            self._changed.notify_all()
        for host in self._hosts:
            if host.container is not None:
                host.container.kill()

    def launch(self, attempt: int, instance: str, count: int) -> None:
        self._attempt, self._instance, self._ran = attempt, instance, False
        top = self._folder / f"attempt-{attempt}"
        self._hosts = [
            Host(name, f"algo-{index + 1}", top / f"algo-{index + 1}" / "opt" / "ml")
            for index, name in enumerate(host_names(count, self._number))
        ]

    def begin(self, phase: str) -> None:
        with self._changed:
            self._done = False
            self._generation += 1
            self._abandoned = threading.Event()
            if self._closed:
                self._abandoned.set()
        if phase == "Training":
            self._start_containers()
            return
        work = self._download if phase == "Downloading" else self._upload
        least = self.site.conditions.lead_seconds if phase == "Downloading" else self.site.conditions.upload_seconds
        self._worker = threading.Thread(
            target=self._transfer, args=(work, least, self._generation), name=f"job {phase}", daemon=True
        )
        self._worker.start()

    def wait(self, until: float) -> str | None:
        with self._changed:
            while True:
                if self._closed:
                    raise RuntimeError(GONE)
                if self._requests:
                    return self._requests.pop(0)
                if self._done:
                    self._done = False
                    return DONE
                left = self.site.clock.real_seconds(until - self.site.clock.now())
                if left <= 0:
                    return None
                self._changed.wait(min(left, 3600.0))

    def terminate(self) -> None:
        self._terminated = True  # each host now has its time to save, also if another one ends sooner
        for host in self._hosts:
            if host.container is not None:
                host.container.terminate()

    def kill(self) -> None:
        self._abandoned.set()
        if self._worker is not None:
            self._worker.join()
        for host in self._hosts:
            if host.container is not None:
                host.container.kill()
                host.container.wait()

    def outcome(self) -> Outcome:
        return self._exits() if self._worker is None else self._outcome

    def release(self, *, sync: bool) -> None:
        self._end_syncing()
        if sync and self._ran and not self._closed:
            with contextlib.suppress(Exception):
                self._synchronize()
        self.kill()
        with self._changed:
            self._generation += 1
        for host in self._hosts:
            host.container = None
        self._worker = None
        shutil.rmtree(self._folder, ignore_errors=True)

    def _report(self, generation: int) -> None:
        with self._changed:
            if generation == self._generation:
                self._done = True
                self._changed.notify_all()

    # Transfers

    def _transfer(self, work: Callable[[S3], Outcome], least: float, generation: int) -> None:
        began = self.site.clock.now()
        verb = "download" if self._ran is False else "upload"
        try:
            self._outcome = work(S3(self.site.client, self._abandoned))
            self._abandoned.wait(self.site.clock.real_seconds(max(0.0, began + least - self.site.clock.now())))
        except AbandonedError:
            return
        except TransferError as error:
            self._outcome = Outcome(str(error))
        except Exception as error:  # of boto3 or of the file system: AWS names them alike
            self._outcome = Outcome(f"ClientError: Data {verb} failed: {error}")
        if not self._abandoned.is_set():
            self._report(generation)

    def _download(self, s3: S3) -> Outcome:
        names = [host.name for host in self._hosts]
        for index, host in enumerate(self._hosts):
            host.base.mkdir(parents=True)
            mark = f"{self.site.mark}-{secrets.token_hex(8)}-"
            site = self.site
            host.environment = container_environment(
                self.job, host.base, site.region, site.clock.scale, mark, site.environment
            )
            lay_out(host.base, self.job, self._instance, names, host.name)
            for source, folder in self._sources(host.base):
                download_source(s3, source, folder, index, len(names))
            checkpoints = self.job.request.get("CheckpointConfig")
            if checkpoints is not None:
                folder = inside(host.base, checkpoints.get("LocalPath", "/opt/ml/checkpoints"))
                folder.mkdir(parents=True, exist_ok=True)
                host.mirror = Mirror(
                    S3(s3.client, threading.Event()),
                    folder,
                    checkpoints["S3Uri"],
                    self.site.conditions.seed + self._attempt,
                )
                host.mirror.restore()
        return Outcome()

    def _sources(self, base: Path) -> list[tuple[dict[str, Any], Path]]:
        if self.job.kind == "training":
            channels = self.job.request.get("InputDataConfig", [])
            data = base / "input" / "data"
            return [(channel["DataSource"]["S3DataSource"], data / channel["ChannelName"]) for channel in channels]
        inputs = [item["S3Input"] for item in self.job.request.get("ProcessingInputs", []) if "S3Input" in item]
        return [(source, inside(base, source["LocalPath"])) for source in inputs]

    def _upload(self, s3: S3) -> Outcome:
        self._end_syncing()
        if self.job.kind == "processing":
            for output in self.job.request.get("ProcessingOutputConfig", {}).get("Outputs", []):
                if "S3Output" in output:
                    for host in self._hosts:
                        place = inside(host.base, output["S3Output"].get("LocalPath", ""))
                        upload_folder(s3, place, output["S3Output"]["S3Uri"])
            return Outcome()
        self._synchronize()
        target = self.job.request["OutputDataConfig"]
        url = f"{target['S3OutputPath'].rstrip('/')}/{self.job.name}/output"
        models = [host.base / "model" for host in self._hosts]
        results = [host.base / "output" / "data" for host in self._hosts]
        if target.get("CompressionType", "GZIP") == "NONE":
            for model, result in reversed(list(zip(models, results, strict=True))):  # the first host's files win
                upload_folder(s3, model, f"{url}/model")
                upload_folder(s3, result, f"{url}/data")
            return Outcome(artifacts=f"{url}/model/")
        upload_archive(s3, models, f"{url}/model.tar.gz", self._folder)
        upload_archive(s3, results, f"{url}/output.tar.gz", self._folder)
        return Outcome(artifacts=f"{url}/model.tar.gz")

    # Containers

    def _start_containers(self) -> None:
        self._worker, self._ran, self._terminated = None, True, False
        group = TRAINING_GROUP if self.job.kind == "training" else PROCESSING_GROUP
        born = int(self.site.clock.stamp() * 1000)
        for host in self._hosts:
            folder = host.base / "code" if self.job.kind == "training" else host.base
            stream = f"{self.job.name}/{host.label}-{born}"

            def log(line: str, stream: str = stream) -> None:
                self.site.logs.append(group, stream, line, int(self.site.clock.stamp() * 1000))

            host.container = Container(command(self.job, host.base), host.environment, folder, log)
        for host in self._hosts:
            threading.Thread(
                target=self._watch, args=(host, self._generation), name="container end", daemon=True
            ).start()
        if any(host.mirror is not None for host in self._hosts):
            self._syncing = threading.Event()
            self._syncer = threading.Thread(target=self._sync, args=(self._syncing,), name="mirror", daemon=True)
            self._syncer.start()

    def _watch(self, host: Host, generation: int) -> None:
        """Waits for the end of a container; the failure of one ends the job's others."""
        assert host.container is not None
        containers = [other.container for other in self._hosts if other.container is not None]
        if host.container.wait() != 0 and not self._terminated:
            for container in containers:
                container.kill()
        for container in containers:
            container.wait()
        if host is self._hosts[0]:
            self._report(generation)

    def _exits(self) -> Outcome:
        """How the containers ended."""
        failed: list[tuple[Host, int]] = []
        for host in self._hosts:
            code = host.container.wait() if host.container is not None else 0
            if code != 0:
                failed.append((host, code))
        message = next((text for host in self._hosts if (text := _text(host.base / "output" / "message"))), None)
        if not failed:
            return Outcome(exit_message=message)
        # the host that failed by itself, not those that were killed because of it
        host, code = min(failed, key=lambda pair: (not (pair[0].base / "output" / "failure").exists(), pair[1] == 137))
        reason = _text(host.base / "output" / "failure") or ""
        end = f", exit code: {code}"
        return Outcome(f"AlgorithmError: {reason[: LONGEST_REASON - 16 - len(end)]}{end}", exit_message=message)

    def _sync(self, over: threading.Event) -> None:
        conditions, clock = self.site.conditions, self.site.clock
        ends = float("inf") if conditions.sync_ends_after is None else clock.now() + conditions.sync_ends_after
        while not over.wait(clock.real_seconds(conditions.sync_seconds)) and clock.now() < ends:
            with contextlib.suppress(Exception):  # silent, as AWS's
                self._synchronize()

    def _end_syncing(self) -> None:
        self._syncing.set()
        if self._syncer is not None:
            self._syncer.join()
            self._syncer = None

    def _synchronize(self) -> None:
        for host in self._hosts:
            if host.mirror is not None:
                host.mirror.synchronize()


def _text(path: Path) -> str | None:
    """The beginning of a text file that a container wrote; None without the file."""
    if not path.is_file():  # a pipe would never end
        return None
    try:
        with path.open(encoding="utf-8", errors="replace") as file:
            return file.read(LONGEST_REASON)
    except OSError:
        return None
