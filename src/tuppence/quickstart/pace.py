"""Computes how much of each stage fits into the time: a pure function `fit`, and a clock that calls it.

The costs at slowness 1 were measured on a quiet two-core machine. `probe` measures the present machine with real
training steps, and `Pace` compares the time of finished stages with the planned time. From both, `fit` computes the
sizes of the remaining stages, so that everything ends within `MOST_SECONDS` if possible. A stage is never smaller than
its least size. If the least sizes do not fit, optional stages are left out.

Nothing here trains, reads or writes. Called by `life`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuppence.quickstart import STAGES

MOST_SECONDS = 610.0
"""The time for all stages on a slow machine. Stages keep their full sizes if these fit into this time."""

SPARE_SECONDS = 80.0
"""Additional time that is allowed before a stage is left out. The sum is below the documented twelve minutes."""

FRESH_SECONDS = 10.0
"""A measurement of the machine serves that long: short stages follow each other without one."""

REFERENCE_STEP_SECONDS = 0.15
"""The time of a pretraining step on the quiet machine; slowness is relative to it."""

FASTEST = 0.4
"""On a faster machine pretraining makes more steps in the same time, down to this slowness."""


@dataclass(frozen=True)
class Work:
    """The unit of a stage's size, its bounds, and its cost.

    Attributes:
        unit: what is counted.
        least, most: the fewest useful units, and the full size.
        seconds_each, seconds_besides: the time of one unit, and the fixed time of the stage, at slowness 1.
        optional: whether the stage may be left out.
    """

    unit: str
    least: int
    most: int
    seconds_each: float
    seconds_besides: float
    optional: bool = False

    def seconds(self, amount: int) -> float:
        """Returns the time of `amount` units at slowness 1."""
        return self.seconds_besides + amount * self.seconds_each

    def exactly(self, amount: int) -> Work:
        """Returns the same work with that size only."""
        return replace(self, least=amount, most=amount)

    def at_most(self, amount: int) -> Work:
        """Returns the same work with at most that size."""
        return replace(self, least=min(self.least, amount), most=min(self.most, amount))


WORK: dict[str, Work] = {
    "stories": Work("stories", 6_000, 20_000, 4.5 / 20_000, 0.2),
    "tokenizer": Work("stories", 6_000, 20_000, 0.5 / 20_000, 0.4),
    "data": Work("stories", 6_000, 20_000, 1.4 / 20_000, 0.3),
    "pretrain": Work("steps", 400, 800, 0.15, 5.0),
    "spam": Work("steps", 80, 400, 0.12, 5.0, optional=True),
    "instruct": Work("steps", 150, 700, 0.105, 6.0, optional=True),
    "dpo": Work("steps", 16, 50, 0.31, 1.5, optional=True),
    "evaluate": Work("questions", 60, 400, 14 / 600, 2.5),
    "report": Work("pages", 1, 1, 0.0, 4.5),
}
"""Stage → its work, in order. The run with these measurements is in `benchmarks/LOG.md`."""

LEFT_OUT_FIRST = ("dpo", "spam", "instruct")
"""Optional stages in the order in which they are left out; `dpo` needs `instruct`."""

_GUARD, _GUARD_BESIDES = 1.6, 15.0


@dataclass(frozen=True)
class Sizes:
    """The sizes of the stages.

    Attributes:
        amounts: stage → units; stages that do not fit are absent.
        seconds: stage → the planned time.
        left_out: stages that do not fit.
    """

    amounts: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """The planned time of all stages."""
        return sum(self.seconds.values())


def fit(works: Mapping[str, Work], slowness: float, seconds: float, spare: float = 0.0) -> Sizes:
    """Returns the largest sizes that fit. Every stage gets the same fraction of the range from least to full size.

    Args:
        works: the remaining stages.
        slowness: time on this machine over time on the reference machine.
        seconds: the time for all stages.
        spare: additional time that is allowed before a stage is left out.

    Example:
        >>> works = {"pretrain": Work("steps", 100, 1_100, 0.1, 0.0), "dpo": Work("steps", 10, 60, 0.2, 3.0, True)}
        >>> fit(works, 1.0, 1_000).amounts
        {'pretrain': 1100, 'dpo': 60}
        >>> fit(works, 1.0, 70).amounts
        {'pretrain': 600, 'dpo': 35}
        >>> fit(works, 5.0, 60).left_out
        ('dpo',)
    """
    kept, left_out = dict(works), []
    for name in LEFT_OUT_FIRST:
        if _seconds_of_least(kept) * slowness <= seconds + spare:
            break
        if name in kept and kept[name].optional:
            del kept[name]
            left_out.append(name)
    least = _seconds_of_least(kept) * slowness
    grows = sum((work.most - work.least) * work.seconds_each for work in kept.values()) * slowness
    share = min(1.0, max(0.0, (seconds - least) / grows)) if grows > 0 else 1.0
    amounts = {name: work.least + int(share * (work.most - work.least)) for name, work in kept.items()}
    planned = {name: kept[name].seconds(amount) * slowness for name, amount in amounts.items()}
    in_order = tuple(name for name in STAGES if name in left_out)
    return Sizes(amounts, planned, in_order)


def _seconds_of_least(works: Mapping[str, Work]) -> float:
    return sum(work.seconds(work.least) for work in works.values())


@dataclass
class Pace:
    """The clock of a quickstart. Computes the sizes of the remaining stages before each stage.

    Args:
        works: the stages to do, in order, within the user's limits.
        probe: returns the present time of a pretraining step on this machine, in seconds.
        clock: `time.monotonic`.
        most_seconds: the time for all stages.
    """

    works: dict[str, Work]
    probe: Callable[[], float]
    clock: Callable[[], float]
    most_seconds: float = MOST_SECONDS
    _began: float = field(init=False)
    _speed: float = field(init=False)
    _expected: float = field(init=False, default=0.0)
    _taken: float = field(init=False, default=0.0)
    _probed_at: float = field(init=False)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._speed = self._probed()
        if "pretrain" in self.works and self._speed < 1 and self.works["pretrain"].most == WORK["pretrain"].most:
            longer = int(WORK["pretrain"].most / max(self._speed, FASTEST))
            self.works["pretrain"] = replace(self.works["pretrain"], most=longer)

    @property
    def slowness(self) -> float:
        """Actual time over planned time.

        The present slowness of the machine, times the ratio of actual to expected time of the finished stages.
        """
        ratio = self._taken / self._expected if self._expected > 20 else 1.0
        return self._speed * min(max(ratio, 0.8), 2.5)

    def sizes(self) -> Sizes:
        """Returns the sizes of the remaining stages."""
        return fit(self.works, self.slowness, self.most_seconds - (self.clock() - self._began), SPARE_SECONDS)

    def limit(self, name: str, sizes: Sizes) -> float:
        """Returns the time limit of a training stage, in seconds.

        It is longer than the planned time, but the least sizes of the other stages still fit.
        """
        needed = sizes.seconds[name]
        others = [work for other, work in self.works.items() if other != name and other in sizes.amounts]
        left = self.most_seconds - (self.clock() - self._began)
        free = left - sum(work.seconds(work.least) for work in others) * self.slowness
        return max(1.1 * needed, min(_GUARD * needed + _GUARD_BESIDES, free))

    def done(self, name: str, amount: int, seconds: float) -> None:
        """Records the time of a finished stage, and measures the machine again unless it has just been measured."""
        before = self._speed
        if self.clock() - self._probed_at > FRESH_SECONDS:
            self._speed = self._probed()
        self._expected += self.works[name].seconds(amount) * (before + self._speed) / 2
        self._taken += seconds
        del self.works[name]

    def skip(self, names: Sequence[str]) -> None:
        """Removes stages that will not be done."""
        for name in names:
            self.works.pop(name, None)

    def _probed(self) -> float:
        step = self.probe() / REFERENCE_STEP_SECONDS
        self._probed_at = self.clock()
        return step if math.isfinite(step) and step > 0 else 1.0
