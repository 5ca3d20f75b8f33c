"""What the command line adds to a recipe. Imports nothing heavy: it is made before the bill is opened."""

from __future__ import annotations

from dataclasses import dataclass, field

from tuppence.cost.ledger import Ledger, Rate


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: wall time of the run, evaluation and saving included.
        budget_usd: the most dollars it may spend, over all attempts.
        rate: what an hour of this machine costs.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none" or "tensorboard".
        began: when the command started, in seconds of `time.monotonic`: the limits count from there. None: with the
            run.
        ledger: the bill that the command line opened already (`bill.open_bill`); None: the run opens its own.
        whole_process: whether the process exists for this run alone; see `bill.open_bill`.
    """

    max_minutes: float | None = None
    budget_usd: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"
    began: float | None = None
    ledger: Ledger | None = None
    whole_process: bool = False
