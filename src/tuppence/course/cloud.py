"""S3 and SageMaker in a notebook: rehearsed on this machine, or in the user's account. The cells are the same.

`tp.cloud()` is the switch. `tp.launch` is in `cli.notebook`, because only the command line reads verb lines; it calls
`run_job`.
"""

from __future__ import annotations

import atexit
import contextlib
import dataclasses
import os
import tempfile
import time
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from tuppence.aws.account import Account, find_account
from tuppence.aws.follow import follow
from tuppence.aws.jobs import Job, describe
from tuppence.aws.launch import Wish, prepare, submit
from tuppence.aws.local import LocalSageMaker, RefusedError
from tuppence.aws.receipt import Receipt, receipt_of
from tuppence.aws.rehearse import rehearsed
from tuppence.aws.verb_line import VerbLine
from tuppence.core.errors import InputError, TuppenceError
from tuppence.core.run import Run as RunNames
from tuppence.core.table import Table
from tuppence.course.display import facts
from tuppence.course.runs import Run
from tuppence.storage import client, open_store, stage_run

VARIABLE = "TUPPENCE_AWS"
"""Environment variable: `account` for the user's own account of AWS; `rehearsal`, the default, for this machine."""
REHEARSED_POLL_SECONDS = 0.2
SPEED = 20.0
"""Seconds of the rehearsal's clock in a second of this machine."""
_NAMES = RunNames(Path())


class Cloud:
    """A bucket and a SageMaker, which this process's boto3 talks to until `close`.

    Attributes:
        account: bucket, role and region.
        url: of the bucket, `s3://…`.
        sagemaker: the local one; None for the user's account.
    """

    def __init__(self, account: Account, sagemaker: LocalSageMaker | None, exits: contextlib.ExitStack) -> None:
        self.account, self.sagemaker, self._exits = account, sagemaker, exits
        self.url = f"s3://{account.bucket}"

    @property
    def is_rehearsal(self) -> bool:
        """Whether nothing here reaches AWS."""
        return self.sagemaker is not None

    def close(self) -> None:
        """Ends the rehearsal and removes what is in it. An account is left as it is."""
        self._exits.close()

    def __repr__(self) -> str:
        if self.is_rehearsal:
            return (
                f"{self.url} and SageMaker, rehearsed on this machine for $0. It is our reading of AWS's documentation,"
                " and proves nothing about AWS."
            )
        return f"{self.url} and SageMaker in {self.account.region}, of your account: this costs money."


_open: list[Cloud] = []


def cloud(*, speed: float = SPEED) -> Cloud:
    """Returns S3 and SageMaker for the cells of a notebook.

    They are rehearsed on this machine, unless the environment variable TUPPENCE_AWS is `account`; then they are those
    of the account that boto3's credentials belong to, with the bucket and the role of `tuppence aws init`. A rehearsal
    begins empty and ends with the notebook, or with the next call.

    Args:
        speed: seconds of the rehearsal's clock in a second of this machine. Phases, limits and the 120 seconds of
            SIGTERM follow that clock, and so does the bill.

    Raises:
        InputError: TUPPENCE_AWS has another value, or the account has no stack.
        MissingExtraError: boto3 or ministack is not installed.
    """
    while _open:
        _open.pop().close()
    chosen = os.environ.get(VARIABLE) or "rehearsal"
    if chosen not in ("rehearsal", "account"):
        raise InputError(f"{VARIABLE} is {chosen!r}", "use rehearsal or account")
    with contextlib.ExitStack() as exits:
        local = None
        if chosen == "rehearsal":
            folder = Path(exits.enter_context(tempfile.TemporaryDirectory(prefix="tuppence-")))
            local = LocalSageMaker(folder, scale=speed)
            account = exits.enter_context(rehearsed(local))
        else:
            account = find_account(str(client("sagemaker").meta.region_name))
        made = Cloud(account, local, exits.pop_all())
    _open.append(made)
    return made


@atexit.register
def _close_all() -> None:
    while _open:
        _open.pop().close()


@dataclass(frozen=True)
class CloudJob:
    """A training job that has ended.

    Attributes:
        job: as SageMaker describes it.
        receipt: AWS's bill and the run's ledger.
        speed: of the rehearsal's clock; None for a job of AWS.
    """

    job: Job
    receipt: Receipt
    speed: float | None = None

    @property
    def output(self) -> str:
        """Where the result is: `s3://…`."""
        return self.receipt.order.output

    @property
    def interruptions(self) -> int:
        """How often the machine was taken."""
        return sum(phase.status == "Interrupted" for phase in self.job.phases)

    @property
    def run(self) -> Run:
        """The run, copied from S3 and verified, without its checkpoints."""
        return Run(stage_run(self.output))

    @property
    def phases(self) -> Table:
        """What SageMaker says about the job, in order, with the seconds of each phase on its clock."""
        rows = []
        for number, phase in enumerate(self.job.phases, start=1):
            seconds = (phase.end - phase.start).total_seconds() * (self.speed or 1.0) if phase.end else 0.0
            rows.append([number, phase.status, round(seconds), phase.message])
        return Table(["", "phase", "seconds", "message"], rows)

    def _summary(self) -> Table:
        order, receipt = self.receipt.order, self.receipt
        return facts(
            {
                "job": f"{order.verb}, {self.job.status}{'' if self.speed is None else ' (rehearsed)'}",
                "on": f"{self.job.count} × {self.job.instance}{', spot' if self.job.spot else ''}",
                "interruptions": self.interruptions,
                "ran": f"{self.job.training_seconds or 0:,.0f} s",
                "billed": f"{receipt.billed_seconds:,.0f} s at ${receipt.price.usd:g} an hour",
                "bill": f"${receipt.billed_usd:.4f}",
                "without spot": f"${receipt.unreduced_usd:.4f}",
                "ledger": f"${receipt.run_usd:.4f} for all attempts at the output",
                "cap": "none" if order.cap_usd is None else f"${order.cap_usd:,.2f}",
                "output": self.output,
            }
        )

    def __repr__(self) -> str:
        return repr(self._summary())

    def _repr_html_(self) -> str:
        return self._summary()._repr_html_()


def run_job(line: VerbLine, wish: Wish, *, interruptions: int = 0) -> CloudJob:
    """Starts a job of the open cloud, and waits for its end.

    Args:
        wish: instance, cap and so on; bucket, role and region are those of the cloud.
        interruptions: in a rehearsal of a spot job, the machine is taken so many times, each time when a new
            checkpoint has arrived in S3. In an account, AWS decides.

    Raises:
        InputError: no cloud is open, or the job is refused.
        TuppenceError: the job has failed.
    """
    if not _open:
        raise InputError("there is no SageMaker to launch on", "call tp.cloud() first")
    place = _open[-1]
    with tempfile.TemporaryDirectory() as workplace:
        asked = dataclasses.replace(
            wish,
            bucket=place.account.bucket,
            role_arn=place.account.role_arn,
            region=place.account.region,
            with_wheels=not place.is_rehearsal,
        )
        prepared = prepare(line, asked, Path(workplace))
        name = submit(prepared)
    if place.sagemaker is None:
        ended = follow(name, place.account.region)
    else:
        sleep = _taking(place.sagemaker, name, prepared.plan.order.output, interruptions)
        ended = follow(name, place.account.region, poll_seconds=REHEARSED_POLL_SECONDS, sleep=sleep)
    if ended.status == "Failed":
        raise TuppenceError(f"the job has failed: {ended.failure}", f"tuppence aws logs {name}")
    speed = None if place.sagemaker is None else place.sagemaker.clock.scale
    return CloudJob(ended, receipt_of(ended), speed)


def _taking(sagemaker: LocalSageMaker, name: str, output: str, times: int) -> Callable[[float], object]:
    """A `sleep` that takes the job's machine when a checkpoint has arrived that was not there the last time."""
    store, seen, taken = open_store(output), "", 0

    def newest() -> str:
        found = (entry.name for entry in store.list() if entry.name.endswith("/MANIFEST.json"))
        return max((name for name in found if name.startswith(f"{_NAMES.checkpoints.name}/step-")), default="")

    def sleep(seconds: float) -> None:
        nonlocal seen, taken
        time.sleep(seconds)
        if taken == times:
            return
        phases = describe(name).phases
        lost = sum(phase.status == "Interrupted" for phase in phases)
        if lost < taken:
            return
        if phases[-1].status != "Training":
            seen = newest()
        elif (now := newest()) > seen:
            with contextlib.suppress(RefusedError):  # it has ended meanwhile
                sagemaker.interrupt(name)
                seen, taken = now, taken + 1

    return sleep
