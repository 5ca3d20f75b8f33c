"""`RunOptions`: what the command line adds to a recipe. It is made before torch is imported."""

from __future__ import annotations

from dataclasses import dataclass, field

from tuppence.cost.ledger import Ledger, Rate


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: limit on the wall time, evaluation and saving included.
        budget_usd: limit on the cost of all attempts together.
        rate: cost of an hour of this machine.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none", "tensorboard" or "mlflow".
        began: start of the command in seconds of `time.monotonic`, from which time and cost are counted; None: they are
            counted from the start of the run.
        ledger: the ledger that the command line has opened (`attempt.open_ledger`); None: the run opens one.
        whole_process: whether the process only executes this run; see `attempt.open_ledger`.
    """

    max_minutes: float | None = None
    budget_usd: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"
    began: float | None = None
    ledger: Ledger | None = None
    whole_process: bool = False
