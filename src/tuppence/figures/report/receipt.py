"""Reads from the ledger and the metrics of a run what the run cost, in dollars and in time.

`cost.ledger` writes the ledger.
"""

from __future__ import annotations

import contextlib
from collections.abc import Sequence
from dataclasses import dataclass

from tuppence.core.run import Run
from tuppence.cost.ledger import Attempt, read_attempts
from tuppence.figures.run_data import RunData, finite, last

TIMES = {
    "train_seconds": "training",
    "startup_seconds": "start-up",
    "evaluation_seconds": "evaluation",
    "checkpoint_seconds": "checkpoints",
}
"""Key of a logged time → the purpose in `costs.TIME_COLOURS`."""


@dataclass(frozen=True)
class Receipt:
    """The costs of a run.

    Attributes:
        attempts: every start of the run, including killed ones.
        rate_usd_per_hour: of the newest attempt; None if unknown.
        rate_source: the source of that rate.
        budget_usd: the budget of the run; None if it has none.
    """

    attempts: Sequence[Attempt]
    rate_usd_per_hour: float | None
    rate_source: str
    budget_usd: float | None

    @property
    def seconds(self) -> float:
        """Wall time of all attempts."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def dollars(self) -> float:
        """The cost of all attempts."""
        return sum(attempt.dollars for attempt in self.attempts)


def read_receipt(run: RunData) -> Receipt:
    """Returns the receipt of a run so far; without attempts if there is no ledger."""
    attempts: list[Attempt] = []
    with contextlib.suppress(ValueError, TypeError, OSError):  # an edited ledger
        attempts = read_attempts(Run(run.folder).ledger_file)
    source = next((row["rate_source"] for row in reversed(run.ledger) if row.get("rate_source")), "")
    return Receipt(attempts, last(run.ledger, "rate_usd_per_hour"), str(source), last(run.ledger, "cap_usd"))


def time_spent(run: RunData, receipt: Receipt) -> dict[str, float]:
    """Returns purpose → seconds. "everything else" is the time of the attempts that was not logged for a purpose.

    Empty if the run logged no times.
    """
    newest = run.metrics[-1] if run.metrics else {}
    logged = {name: run.number("result", key) for key, name in TIMES.items()}
    if not any(logged.values()):
        logged = {name: finite(newest.get(key)) for key, name in TIMES.items()}
    spent = {name: seconds for name, seconds in logged.items() if seconds}
    rest = receipt.seconds - sum(spent.values())
    if spent and rest > 0.5:
        spent["everything else"] = rest
    return spent


def dollars_by_time(run: RunData) -> tuple[list[float], list[float]]:
    """Returns the points of a curve: wall time in seconds over all attempts, and the dollars spent until then."""
    times: list[float] = []
    dollars: list[float] = []
    before = longest = 0.0
    attempt = None
    for row in run.ledger:
        seconds, spent = finite(row.get("seconds")), finite(row.get("dollars"))
        if seconds is None or spent is None:
            continue
        if row.get("attempt") != attempt:
            attempt, before, longest = row.get("attempt"), before + longest, 0.0
        longest = max(longest, seconds)
        times.append(before + seconds)
        dollars.append(spent)
    return times, dollars
