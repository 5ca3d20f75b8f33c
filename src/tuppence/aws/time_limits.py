"""From dollars to AWS's own time limits: MaxRuntimeInSeconds and MaxWaitTimeInSeconds.

The run keeps its cap by itself. AWS's limits are for the case that it cannot. Both begin before our process and end
after it, so the lead, the 120 seconds of SIGTERM and the upload are taken off first.
"""

from __future__ import annotations

import math
from dataclasses import dataclass

from tuppence.aws.job import GRACE_SECONDS, MOST_SECONDS
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT
from tuppence.cost.plan import COMPILE_SECONDS, SAVED_BYTES_A_SECOND

TAIL_SECONDS = 30.0
"""Assumed to be billed after our process: the upload of a note, and the end of the container."""
ASSUMED_PARAMETERS = 124e6
"""Of a model whose size is not known before the job starts."""


@dataclass(frozen=True)
class TimeLimits:
    """What AWS is asked to enforce.

    Attributes:
        max_runtime, max_wait: seconds; `max_wait` is None on demand.
        cap_seconds: billed seconds that the rest of the cap buys.
        needed_seconds: least that a job needs: lead, compilation, one checkpoint, the end.
    """

    max_runtime: int
    max_wait: int | None
    cap_seconds: float
    needed_seconds: float


def save_seconds(parameters: float) -> float:
    """Assumed time to save a checkpoint and to upload it."""
    return BYTES_OF_A_CHECKPOINT * parameters / SAVED_BYTES_A_SECOND


def time_limits(
    dollars: float,
    rate_usd_per_hour: float,
    *,
    spot: bool,
    lead: float,
    save: float,
    wait_hours: float | None = None,
    most_seconds: int = MOST_SECONDS,
) -> TimeLimits:
    """The limits for what is left of a cap.

    Args:
        dollars: left of the cap.
        rate_usd_per_hour: of all instances together.
        lead: assumed seconds before our process starts.
        save: seconds of the first checkpoint.
        wait_hours: longest time of a spot job, waiting for capacity included. By default what the cap buys on demand,
            so that AWS itself cannot bill more than the cap.
        most_seconds: the longest run that the account allows.

    Raises:
        InputError: too little is left for a first checkpoint, or `wait_hours` is too short.
    """
    seconds = dollars / rate_usd_per_hour * 3600
    around = lead + GRACE_SECONDS + TAIL_SECONDS
    needed = around + COMPILE_SECONDS + save
    if seconds < needed:
        least = math.ceil(needed / 3600 * rate_usd_per_hour * 100) / 100
        raise InputError(
            f"${max(dollars, 0):.2f} at ${rate_usd_per_hour:g} an hour is {duration(max(seconds, 0))}: too little to "
            f"start ({duration(lead)}), to compile, to save a first checkpoint and to end",
            f"give at least ${least:.2f}, or a cheaper instance",
        )
    runtime = min(math.floor(seconds - around), most_seconds, MOST_SECONDS)
    if not spot:
        return TimeLimits(runtime, None, seconds, needed)
    # when the wait is over, AWS still bills the 120 seconds of SIGTERM and the upload
    longest = min(math.floor(seconds - GRACE_SECONDS - TAIL_SECONDS), MOST_SECONDS)
    wait = longest if wait_hours is None else math.floor(wait_hours * 3600)
    if not runtime <= wait <= MOST_SECONDS:
        raise InputError(
            f"--max-wait-hours {wait_hours} must be between {runtime / 3600:.2f}, the longest run, and 28 days",
            "give more hours, or a smaller budget",
        )
    return TimeLimits(runtime, wait, seconds, needed)
