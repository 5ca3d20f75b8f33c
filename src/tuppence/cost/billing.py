"""How a cloud job is billed: before our process began, after it ends, and for machines that were lost in between.

A SageMaker job is billed from the download of its image and inputs until its result is uploaded, and again so after
each interruption. The container's entry point (`aws.entry`) finds out what it can and describes it in the environment
variable `VARIABLE`; the ledger reads it from there. Without the variable a process is billed from its start to its end.
"""

from __future__ import annotations

import json
import os
import time
from collections.abc import Mapping
from dataclasses import asdict, dataclass

from tuppence.core.errors import InputError

VARIABLE = "TUPPENCE_BILLING"


@dataclass(frozen=True)
class Billing:
    """What a job pays beside the life of our process.

    Attributes:
        job: its name.
        since: the time from which this machine is billed, in seconds of `time.time`.
        earlier_seconds: billed seconds of earlier machines of the same job; 0 if that is unknown.
        tail_seconds: billed after our process has ended.
        basis: where these numbers come from; printed on the receipt.
        rate_source: where the price of an hour comes from; empty if unknown.
    """

    job: str
    since: float
    earlier_seconds: float = 0.0
    tail_seconds: float = 0.0
    basis: str = ""
    rate_source: str = ""

    def as_text(self) -> str:
        """The value of the environment variable."""
        return json.dumps(asdict(self))

    def began(self) -> float:
        """`since` in seconds of `time.monotonic`."""
        return time.monotonic() - max(time.time() - self.since, 0.0)


def billing_here(environ: Mapping[str, str] | None = None) -> Billing | None:
    """The billing of the job that this process belongs to; None outside a job.

    Raises:
        InputError: the environment variable is damaged.

    Example:
        >>> billing_here({}) is None
        True
        >>> billing_here({VARIABLE: Billing("tuppence-1", since=0.0, tail_seconds=30.0).as_text()}).tail_seconds
        30.0
    """
    text = (os.environ if environ is None else environ).get(VARIABLE)
    if not text:
        return None
    try:
        given = json.loads(text)
        since, earlier, tail = (float(given[name]) for name in ("since", "earlier_seconds", "tail_seconds"))
        job, basis, rate_source = (str(given[name]) for name in ("job", "basis", "rate_source"))
    except (ValueError, KeyError, TypeError) as error:
        raise InputError(f"{VARIABLE} in the environment describes no job", f"unset {VARIABLE}") from error
    if not all(0 <= number < float("inf") for number in (since, earlier, tail)):
        raise InputError(f"{VARIABLE} in the environment has impossible times", f"unset {VARIABLE}")
    return Billing(job, since, earlier, tail, basis, rate_source)
