"""How much of each stage fits into the time: a pure function, and the clock that calls it again before every stage.

What a stage costs at slowness 1 was measured on the quiet two-core machine that the recipes were made on. `probe`
measures the machine at hand in real training steps, `Pace` compares what finished stages took with what they should
have, and `fit` sizes the stages that are left by both, so that the whole ends in `MOST_SECONDS` where that is possible
at all. A stage is never smaller than its least size: where that does not fit, an optional stage is left out.

Nothing here trains, reads or writes. Called by `life`.
"""

from __future__ import annotations

import math
from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field, replace

from tuppence.quickstart import STAGES

MOST_SECONDS = 610.0
"""What the whole may take where the machine is slow; full recipes that need less are not shortened."""

SPARE_SECONDS = 80.0
"""What it may take more before a stage is left out: together less than the twelve minutes that are promised."""

REFERENCE_STEP_SECONDS = 0.15
"""One step of pretraining on the quiet machine; slowness is relative to it."""

FASTEST = 0.4
"""On a faster machine pretraining makes more steps in the same time, up to this slowness."""


@dataclass(frozen=True)
class Work:
    """What a stage is sized in, and what that costs.

    Attributes:
        unit: what is counted.
        least, most: fewest units that are worth it, and the full recipe.
        seconds_each, seconds_besides: of one unit, and of what comes with any number of them, at slowness 1.
        optional: may be left out.
    """

    unit: str
    least: int
    most: int
    seconds_each: float
    seconds_besides: float
    optional: bool = False

    def seconds(self, amount: int) -> float:
        """At slowness 1."""
        return self.seconds_besides + amount * self.seconds_each

    def exactly(self, amount: int) -> Work:
        """The same work, of that size alone."""
        return replace(self, least=amount, most=amount)

    def at_most(self, amount: int) -> Work:
        """The same work, no larger than that."""
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
"""Stage → its work, in order. `benchmarks/LOG.md` has the run that these were taken from."""

LEFT_OUT_FIRST = ("dpo", "spam", "instruct")
"""Optional stages, the first to be left out first; with `instruct` goes `dpo`."""

_GUARD, _GUARD_BESIDES = 1.6, 15.0


@dataclass(frozen=True)
class Sizes:
    """How much of each stage is done.

    Attributes:
        amounts: stage → how many units; stages that do not fit are absent.
        seconds: stage → how long that takes at the slowness it was planned for.
        left_out: stages that do not fit.
    """

    amounts: Mapping[str, int]
    seconds: Mapping[str, float]
    left_out: tuple[str, ...] = ()

    @property
    def total(self) -> float:
        """Seconds of all stages."""
        return sum(self.seconds.values())


def fit(works: Mapping[str, Work], slowness: float, seconds: float, spare: float = 0.0) -> Sizes:
    """The largest sizes that fit: every stage the same share of the way from its least to its full size.

    Args:
        works: the stages that are left to do.
        slowness: how many times as long as on the reference machine everything takes.
        seconds: how long they may take together.
        spare: how much longer before one is left out.

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
    """The clock of one quickstart: sizes the stages that are left, again before each of them.

    Args:
        works: the stages to do, in order, with the person's own limits.
        probe: seconds of a step of pretraining on this machine, now.
        clock: seconds, as `time.monotonic`.
        most_seconds: what the whole may take.
    """

    works: dict[str, Work]
    probe: Callable[[], float]
    clock: Callable[[], float]
    most_seconds: float = MOST_SECONDS
    _began: float = field(init=False)
    _speed: float = field(init=False)
    _expected: float = field(init=False, default=0.0)
    _taken: float = field(init=False, default=0.0)

    def __post_init__(self) -> None:
        self._began = self.clock()
        self._speed = self._probed()
        if "pretrain" in self.works and self._speed < 1 and self.works["pretrain"].most == WORK["pretrain"].most:
            longer = int(WORK["pretrain"].most / max(self._speed, FASTEST))
            self.works["pretrain"] = replace(self.works["pretrain"], most=longer)

    @property
    def slowness(self) -> float:
        """How many times as long as planned everything takes: the machine's speed now, times what finished stages
        took over what they should have at the speed of their time."""
        ratio = self._taken / self._expected if self._expected > 20 else 1.0
        return self._speed * min(max(ratio, 0.8), 2.5)

    def sizes(self) -> Sizes:
        """Of all stages that are left, from now on."""
        return fit(self.works, self.slowness, self.most_seconds - (self.clock() - self._began), SPARE_SECONDS)

    def limit(self, name: str, sizes: Sizes) -> float:
        """Seconds after which a training stage is to end by the clock: more than it should need, and at most what
        leaves the others their least sizes."""
        needed = sizes.seconds[name]
        others = [work for other, work in self.works.items() if other != name and other in sizes.amounts]
        left = self.most_seconds - (self.clock() - self._began)
        free = left - sum(work.seconds(work.least) for work in others) * self.slowness
        return max(1.1 * needed, min(_GUARD * needed + _GUARD_BESIDES, free))

    def done(self, name: str, amount: int, seconds: float) -> None:
        """A stage took so long; measures the machine again."""
        before, self._speed = self._speed, self._probed()
        self._expected += self.works[name].seconds(amount) * (before + self._speed) / 2
        self._taken += seconds
        del self.works[name]

    def skip(self, names: Sequence[str]) -> None:
        """Stages that are not going to be done."""
        for name in names:
            self.works.pop(name, None)

    def _probed(self) -> float:
        step = self.probe() / REFERENCE_STEP_SECONDS
        return step if math.isfinite(step) and step > 0 else 1.0
