"""`LocalSageMaker`: SageMaker, Service Quotas, CloudWatch Logs, STS and S3 on this machine, for real boto3."""

from __future__ import annotations

import contextlib
import hashlib
import os
import secrets
import time
from collections.abc import Callable, Iterator
from pathlib import Path
from types import TracebackType
from typing import Any

from tuppence.aws.local.clock import ScaledClock
from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.guardian import Guardian, kill_marked
from tuppence.aws.local.instances import Site
from tuppence.aws.local.jobs import Jobs
from tuppence.aws.local.layout import SCALE
from tuppence.aws.local.logs import LogOperations, LogStore
from tuppence.aws.local.processing import ProcessingOperations
from tuppence.aws.local.quotas import QuotaOperations
from tuppence.aws.local.record import Book, Job
from tuppence.aws.local.s3_server import S3Server
from tuppence.aws.local.server import ApiServer
from tuppence.aws.local.training import TrainingOperations
from tuppence.aws.validation import descriptions
from tuppence.core.errors import MissingExtraError
from tuppence.core.locks import lock_folder

ACCOUNT = "000000000000"  # no account of AWS has this number
REGION = "us-east-1"
_BESIDE_S3 = ("S3", "IAM", "CLOUDFORMATION", "BUDGETS", "RESOURCE_GROUPS_TAGGING_API")
_NOT_OURS = ("TUPPENCE_AWS_ENDPOINT", "AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ROLE_ARN", "AWS_WEB_IDENTITY_TOKEN_FILE")


class _Operations(TrainingOperations, ProcessingOperations):
    """All operations of SageMaker."""


class LocalSageMaker:
    """A context manager that serves while its block runs. The folder keeps jobs, logs and objects for the next time.

    Args:
        folder: of the rehearsal.
        conditions: what AWS does to the jobs.
        scale: scaled seconds in a real one. Durations in answers, deadlines and `conditions` are scaled; timestamps
            are real.
        region: of the rehearsal.
        s3_endpoint: a server of S3 to use in place of ministack.
        credentials: access key id and secret, which `s3_endpoint` knows; random by default.

    Attributes:
        environment: the variables that point boto3 at the local services.

    Raises:
        InputError: another process uses the folder.
        MissingExtraError: boto3 or ministack is not installed.

    Example:
        >>> with LocalSageMaker(Path("rehearsal"), scale=100) as sagemaker:  # doctest: +SKIP
        ...     sagemaker.client("sagemaker").list_training_jobs()["TrainingJobSummaries"]
        []
    """

    def __init__(
        self,
        folder: Path,
        *,
        conditions: Conditions | None = None,
        scale: float = 1.0,
        region: str = REGION,
        s3_endpoint: str | None = None,
        credentials: tuple[str, str] | None = None,
    ) -> None:
        self.folder, self.region = folder.absolute(), region
        self.conditions = conditions or Conditions()
        self.clock = ScaledClock(scale)
        self._given_s3 = s3_endpoint
        self._credentials = credentials or (f"AKIA{secrets.token_hex(8).upper()}", secrets.token_urlsafe(30))
        self._exits = contextlib.ExitStack()
        self._clients: dict[str, Any] = {}
        self.environment: dict[str, str] = {}

    def __enter__(self) -> LocalSageMaker:
        with contextlib.ExitStack() as exits:
            self.folder.mkdir(parents=True, exist_ok=True)
            exits.callback(lock_folder(self.folder, "rehearsing in"))
            mark = hashlib.sha256(str(self.folder).encode()).hexdigest()[:16]
            kill_marked(f"{mark}-")  # what an earlier process and its guardian may have left
            exits.callback(Guardian(f"{mark}-").close)
            endpoint = self._given_s3
            if endpoint is None:
                server = S3Server(self.folder / "s3")
                exits.callback(server.close)
                endpoint = server.endpoint
            self.s3_endpoint = endpoint
            book = Book(self.folder / "jobs")
            self.logs = LogStore(self.folder / "logs")
            self.quotas = QuotaOperations(book, self.conditions, self.region, ACCOUNT)
            client = self._clients["s3"] = self._client("s3", endpoint)
            site = Site(
                self.folder / "running",
                client,
                self.environment,
                self.region,
                self.clock,
                self.conditions,
                self.logs,
                mark,
            )
            self.jobs = Jobs(book, site, self.quotas, self.region, ACCOUNT)
            exits.callback(self.jobs.close)
            api = ApiServer(
                {
                    "sagemaker": _Operations(self.jobs),
                    "service-quotas": self.quotas,
                    "logs": LogOperations(self.logs, self.region, ACCOUNT),
                },
                self._credentials[0],
                ACCOUNT,
                self.conditions.throttle_every,
            )
            exits.callback(api.close)
            self.endpoint = api.endpoint
            self.environment.update(self._variables())
            self._exits = exits.pop_all()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, traceback: TracebackType | None
    ) -> None:
        self._exits.close()

    def client(self, service: str) -> Any:
        """A boto3 client of a local service, independent of the environment; always the same one."""
        if service not in self._clients:
            self._clients[service] = self._client(service, self.s3_endpoint if service == "s3" else self.endpoint)
        return self._clients[service]

    @contextlib.contextmanager
    def applied(self) -> Iterator[None]:
        """Points this process's boto3 at the local services while the block runs, through its environment."""
        before = {name: os.environ.get(name) for name in (*self.environment, *_NOT_OURS)}
        for name in _NOT_OURS:
            os.environ.pop(name, None)
        os.environ.update(self.environment)
        try:
            yield
        finally:
            for name, value in before.items():
                if value is None:
                    os.environ.pop(name, None)
                else:
                    os.environ[name] = value

    def wait(self, name: str, *, kind: str = "training", timeout: float | None = None) -> Job:
        """Waits until a job has ended, and returns it.

        Args:
            timeout: in seconds of this machine.

        Raises:
            TimeoutError: it has not ended by then.
        """
        return self.jobs.wait(kind, name, timeout)

    def wait_until(self, name: str, condition: Callable[[Job], bool], *, timeout: float = 60.0) -> Job:
        """Waits until a training job is as a condition wants it, such as `lambda job: job.secondary == "Training"`.

        Raises:
            TimeoutError: it has not come by then.
        """
        job, deadline = self.jobs.find("training", name), time.monotonic() + timeout
        while not condition(job):
            if time.monotonic() > deadline:
                raise TimeoutError(f"{name} is still {job.secondary} after {timeout} seconds")
            time.sleep(0.01)
        return job

    def interrupt(self, name: str) -> None:
        """AWS takes the instances of a spot job back, at once.

        Raises:
            RefusedError: it is not a spot job that runs.
        """
        self.jobs.interrupt(name)

    def _client(self, service: str, endpoint: str) -> Any:
        try:
            import boto3
            import botocore.session
            from botocore.config import Config
        except ImportError as error:
            raise MissingExtraError("boto3", "rehearse", "a rehearsal on this machine") from error
        key, secret = self._credentials
        inner = botocore.session.Session()
        inner.register_component("data_loader", descriptions())
        session = boto3.Session(
            aws_access_key_id=key, aws_secret_access_key=secret, region_name=self.region, botocore_session=inner
        )
        config = Config(
            s3={"addressing_style": "path"},
            retries={"mode": "standard", "total_max_attempts": 5},
            connect_timeout=5,
            read_timeout=60,
        )
        return session.client(service, endpoint_url=endpoint, config=config)

    def _variables(self) -> dict[str, str]:
        key, secret = self._credentials
        nowhere = str(self.folder / "no-such-file")
        return {
            "AWS_ACCESS_KEY_ID": key,
            "AWS_SECRET_ACCESS_KEY": secret,
            "AWS_REGION": self.region,
            "AWS_DEFAULT_REGION": self.region,
            "AWS_ENDPOINT_URL": self.endpoint,
            **{f"AWS_ENDPOINT_URL_{service}": self.s3_endpoint for service in _BESIDE_S3},
            "AWS_IGNORE_CONFIGURED_ENDPOINT_URLS": "false",
            "AWS_CONFIG_FILE": nowhere,
            "AWS_SHARED_CREDENTIALS_FILE": nowhere,
            "AWS_EC2_METADATA_DISABLED": "true",
            SCALE: f"{self.clock.scale:g}",
        }
