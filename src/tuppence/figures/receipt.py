"""What a run cost in dollars and in time: the receipt as numbers, and both as pictures.

The ledger itself is kept by `cost.ledger`; here it is only read. Called by `report` and by notebooks.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import TYPE_CHECKING

from tuppence.core.run import Run
from tuppence.cost.ledger import Attempt, read_attempts
from tuppence.figures.record import RunRecord, finite, last
from tuppence.figures.style import (
    MUTED,
    ORANGE,
    PALETTE,
    SMALL,
    YELLOW,
    dollars_label,
    new_figure,
    styled,
    thin,
    ticks,
)

if TYPE_CHECKING:
    from matplotlib.figure import Figure

TIMES = {
    "train_seconds": "training",
    "startup_seconds": "start-up",
    "evaluation_seconds": "evaluation",
    "checkpoint_seconds": "checkpoints",
}
"""The keys under which a run records where its time went, and what people call them."""

TIME_COLOURS = {
    "training": "blue",
    "start-up": "purple",
    "evaluation": "orange",
    "checkpoints": "green",
    "everything else": "muted",
}
"""The colour of each purpose, by its name in the palette."""


@dataclass(frozen=True)
class Receipt:
    """What a run came to.

    Attributes:
        attempts: every start of the same run, killed ones too.
        dollars_per_hour: the rate of the newest attempt; None where none is recorded.
        rate_source: where that rate came from.
        cap: what the run may spend, in dollars; None where no cap was set.
    """

    attempts: Sequence[Attempt]
    dollars_per_hour: float | None
    rate_source: str
    cap: float | None

    @property
    def seconds(self) -> float:
        """Wall time of all attempts."""
        return sum(attempt.seconds for attempt in self.attempts)

    @property
    def dollars(self) -> float:
        """What all attempts came to."""
        return sum(attempt.dollars for attempt in self.attempts)


def read_receipt(run: RunRecord) -> Receipt:
    """The receipt of a run as it stands; one without attempts where there is no ledger."""
    attempts: list[Attempt] = []
    with contextlib.suppress(ValueError, TypeError, OSError):  # a ledger that somebody edited
        attempts = read_attempts(Run(run.folder).ledger_file)
    source = next((row["rate_source"] for row in reversed(run.ledger) if row.get("rate_source")), "")
    return Receipt(attempts, last(run.ledger, "rate_usd_per_hour"), str(source), last(run.ledger, "cap_usd"))


def time_spent(run: RunRecord) -> dict[str, float]:
    """Seconds by purpose, in the words of `TIMES`; "everything else" is what the attempts took beyond those.

    Empty where the run has recorded no times.
    """
    newest = run.metrics[-1] if run.metrics else {}
    recorded = {name: run.number("result", key) for key, name in TIMES.items()}
    if not any(recorded.values()):
        recorded = {name: finite(newest.get(key)) for key, name in TIMES.items()}
    spent = {name: seconds for name, seconds in recorded.items() if seconds}
    rest = read_receipt(run).seconds - sum(spent.values())
    if spent and rest > 0.5:
        spent["everything else"] = rest
    return spent


def dollars_curve(run: RunRecord, size: tuple[float, float] = SMALL) -> Figure | None:
    """Dollars over the wall time of all attempts, with the cap; None where the run cost nothing."""
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
    if len(dollars) < 2 or max(dollars) <= 0:
        return None
    cap = last(run.ledger, "cap_usd")
    with styled():
        figure, axes = new_figure("Dollars", size)
        unit, size_of_unit = ("hours", 3600) if times[-1] >= 7200 else ("minutes", 60)
        axes.plot(*thin([time / size_of_unit for time in times], dollars), color=YELLOW)
        if cap:
            axes.axhline(cap, color=ORANGE, linewidth=1.2, linestyle=(0, (4, 3)))
            axes.annotate(
                f"cap {dollars_label(cap)}",
                (0, cap),
                textcoords="offset points",
                xytext=(2, 4),
                color=MUTED,
                fontsize=8.5,
            )
        axes.set_ylim(0, max(cap or 0.0, max(dollars)) * 1.18)
        axes.yaxis.set_major_formatter(dollars_label)
        ticks(axes)
        axes.set_xlabel(unit, loc="right")
    return figure


def time_bar(
    spent: Mapping[str, float], size: tuple[float, float] = (8.4, 1.0), *, legend: bool = True
) -> Figure | None:
    """One bar, cut into what the time of a run went to (see `time_spent`)."""
    total = sum(spent.values())
    if total <= 0:
        return None
    with styled():
        figure, axes = new_figure("", size)
        start = 0.0
        for name, seconds in spent.items():
            share = seconds / total
            colour = PALETTE[TIME_COLOURS.get(name, "muted")]
            axes.barh(0, share, left=start, height=0.5, color=colour, label=f"{name} {share:.0%}")
            start += share
        axes.set_xlim(0, 1)
        axes.set_axis_off()
        if legend:
            axes.legend(loc="upper left", bbox_to_anchor=(-0.01, 0.05), ncols=len(spent), handlelength=0.9)
    return figure
