"""What the operations on training and on processing jobs have in common: filters, paging, names, tags, starting."""

from __future__ import annotations

import threading
from collections.abc import Callable
from typing import Any

from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.instances import GONE, Instances, Site
from tuppence.aws.local.life import INTERRUPTION, STOP, Life
from tuppence.aws.local.quotas import QuotaOperations
from tuppence.aws.local.record import ENDED, Book, Job
from tuppence.aws.local.replies import RefusedError, page
from tuppence.aws.local.transfers import S3, TransferError, keys_of

NOUN = {"training": "training-job", "processing": "processing-job"}


class Jobs:
    """Creates, runs and finds jobs.

    Args:
        region, account: in the names of jobs.
    """

    def __init__(self, book: Book, site: Site, quotas: QuotaOperations, region: str, account: str) -> None:
        self.book, self.site, self.quotas, self._place = book, site, quotas, f"{region}:{account}"
        self._running: dict[tuple[str, str], tuple[Instances, threading.Thread]] = {}
        self._number = 0
        for job in book.jobs.values():
            if job.status not in ENDED:  # of an earlier process that was killed
                self._give_up(job)

    @property
    def conditions(self) -> Conditions:
        return self.site.conditions

    def create(self, kind: str, name: str, request: dict[str, Any], sources: list[dict[str, Any]]) -> Job:
        """Starts a job.

        Args:
            sources: S3DataSource or S3Input of its inputs; each must have an object.

        Raises:
            RefusedError: the name is taken, a quota is too small, or an input is missing.
        """
        stamp = self.site.clock.stamp()
        job = Job(kind, name, f"arn:aws:sagemaker:{self._place}:{NOUN[kind]}/{name}", request, stamp, stamp)
        job.discount = self.conditions.spot_discount if job.spot else 0.0
        job.tags = list(request.get("Tags", []))
        for source in sources:
            self._require_objects(source)
        with self.book.lock:
            if (kind, name) in self.book.jobs:
                raise RefusedError(
                    "ResourceInUse",
                    "Job name must be unique within an AWS account and region, and a job with this name already "
                    f"exists ({job.arn})",
                )
            self.quotas.require(job)
            self.book.add(job)
            self._number += 1
            instances = Instances(job, self.site, self._number)
            thread = threading.Thread(target=self._live, args=(job, instances), name=f"job {name}", daemon=True)
            self._running[kind, name] = instances, thread
        thread.start()
        return job

    def _live(self, job: Job, instances: Instances) -> None:
        try:
            Life(job, self.conditions, self.site.clock, instances, self.book.changing).run()
        except BaseException as error:
            self._give_up(job, str(error) if str(error) == GONE else f"InternalServerError: {error}")
            if str(error) != GONE:
                raise
        finally:
            with self.book.lock:
                self._running.pop((job.kind, job.name), None)

    def _give_up(self, job: Job, reason: str = GONE) -> None:
        with self.book.changing(job):
            job.status, job.ended, job.failure = "Failed", self.site.clock.stamp(), reason
            job.enter("Failed", "Training job failed", job.ended)
            job.transitions[-1]["EndTime"] = job.ended

    def find(self, kind: str, name: str) -> Job:
        """Raises RefusedError if there is no such job."""
        with self.book.lock:
            job = self.book.jobs.get((kind, name))
        if job is None:
            code = "ValidationException" if kind == "training" else "ResourceNotFound"
            raise RefusedError(code, "Requested resource not found.")
        return job

    def stop(self, kind: str, name: str) -> None:
        """Asks a job to stop; nothing if it is stopping already.

        Raises:
            RefusedError: there is no such job, or it has ended.
        """
        job = self.find(kind, name)
        with self.book.lock:
            running = self._running.get((kind, name))
            if job.status in ENDED or running is None:
                raise RefusedError(
                    "ValidationException",
                    f"The request was rejected because the {kind} job is in status {job.status}.",
                )
            if job.status == "Stopping":
                return
            with self.book.changing(job):
                job.status = "Stopping"
        running[0].ask(STOP)

    def interrupt(self, name: str) -> None:
        """Takes the instances of a spot training job back, at once. Not a call of AWS.

        Raises:
            RefusedError: the job does not run, or is not a spot job.
        """
        job = self.find("training", name)
        with self.book.lock:
            running = self._running.get(("training", name))
        if running is None or not job.spot:
            raise RefusedError("ValidationException", f"{name} is not a spot job that runs")
        running[0].ask(INTERRUPTION)

    def wait(self, kind: str, name: str, timeout: float | None = None) -> Job:
        """Waits until a job has ended.

        Raises:
            TimeoutError: it has not after `timeout` seconds of this machine.
        """
        job = self.find(kind, name)
        with self.book.lock:
            running = self._running.get((kind, name))
        if running is not None:
            running[1].join(timeout)
            if running[1].is_alive():
                raise TimeoutError(f"{name} is still {job.secondary} after {timeout} seconds")
        return job

    def close(self) -> None:
        """Ends all jobs."""
        with self.book.lock:
            running = list(self._running.values())
        for instances, _ in running:
            instances.close()
        for _, thread in running:
            thread.join()

    def list(self, kind: str, request: dict[str, Any], name: str, row: Callable[[Job], dict[str, Any]]) -> Any:
        """A page of the jobs that pass the filters of a List call. StatusEquals is applied after the page is cut, as
        the documentation says."""
        chosen = [job for job in self.book.of_kind(kind) if _passes(job, request)]
        keys: dict[str, Callable[[Job], Any]] = {
            "Name": lambda job: job.name,
            "Status": lambda job: job.status,
            "CreationTime": lambda job: job.created,
        }
        chosen.sort(key=keys[request.get("SortBy", "CreationTime")])
        if request.get("SortOrder", "Descending") == "Descending":
            chosen.reverse()
        wanted = request.get("StatusEquals")
        if wanted and "MaxResults" not in request:
            chosen = [job for job in chosen if job.status == wanted]
        answer = page([{"job": job} for job in chosen], request, name, default=10, most=100)
        answer[name] = [row(entry["job"]) for entry in answer[name] if wanted in (None, entry["job"].status)]
        return answer

    def delete(self, kind: str, name: str) -> None:
        """Raises RefusedError if the job has not ended."""
        job = self.find(kind, name)
        if job.status not in ENDED:
            raise RefusedError(
                "ResourceInUse", f"The job {name} is {job.status}; only jobs that have ended can be deleted."
            )
        self.book.remove(job)

    def tagged(self, arn: str) -> Job:
        """The job with an ARN.

        Raises:
            RefusedError: there is none.
        """
        with self.book.lock:
            for job in self.book.jobs.values():
                if job.arn == arn:
                    return job
        raise RefusedError("ValidationException", f"Could not find resource {arn[:200]}.")

    def _require_objects(self, source: dict[str, Any]) -> None:
        uri = source["S3Uri"]
        try:
            if keys_of(S3(self.site.client, threading.Event()), source):
                return
        except TransferError as error:
            raise RefusedError("ValidationException", str(error)) from error
        except Exception as error:  # of boto3: no such bucket, no permission
            raise RefusedError("ValidationException", f"S3 URL {uri} cannot be listed: {error}") from error
        raise RefusedError(
            "ValidationException",
            f'No S3 objects found under S3 URL "{uri}" given in input data source. Please ensure that the bucket '
            "exists in the selected region, that objects exist under that S3 prefix, and that the role has "
            '"s3:ListBucket" permissions on it.',
        )


def _passes(job: Job, request: dict[str, Any]) -> bool:
    return bool(
        request.get("NameContains", "").lower() in job.name.lower()
        and request.get("CreationTimeAfter", 0) <= job.created <= request.get("CreationTimeBefore", float("inf"))
        and request.get("LastModifiedTimeAfter", 0) <= job.modified <= request.get("LastModifiedTimeBefore", 1e18)
    )
