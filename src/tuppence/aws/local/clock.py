"""Scaled time: the local SageMaker's 120 seconds pass in 1.2 seconds with a scale of 100.

Durations and deadlines of a job are in scaled seconds, `now()`. Timestamps in answers are those of this machine,
`stamp()`, so that they agree with the logs and with the client's clock.
"""

from __future__ import annotations

import time
from typing import Protocol

from tuppence.core.errors import InputError


class Clock(Protocol):
    """What a job's life needs to know about time."""

    def now(self) -> float:
        """Scaled seconds since some moment."""

    def stamp(self) -> float:
        """Seconds since 1970, for timestamps."""


class ScaledClock:
    """This machine's clock, `scale` times as fast.

    Raises:
        InputError: the scale is below 1 or not finite.
    """

    def __init__(self, scale: float = 1.0) -> None:
        if not 1 <= scale < float("inf"):
            raise InputError(
                f"a time scale of {scale} makes no sense", "give 1 for real time, 60 for minutes as seconds"
            )
        self.scale = scale

    def now(self) -> float:
        return time.monotonic() * self.scale

    def stamp(self) -> float:
        return round(time.time(), 3)  # AWS's timestamps have milliseconds

    def real_seconds(self, scaled: float) -> float:
        """Seconds of this machine for a scaled duration."""
        return scaled / self.scale
