"""How much of each stage is done on simulated machines: fast, slow, noisy, and of changing speed."""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass, field
from random import Random

import pytest

from tuppence.quickstart import STAGES
from tuppence.quickstart.pace import LEFT_OUT_FIRST, MOST_SECONDS, REFERENCE_STEP_SECONDS, WORK, Pace, Work, fit

PROMISED = 12 * 60


@dataclass
class Machine:
    """A simulated machine. Its slowness is a function of time, and each stage costs a random multiple of its cost on
    the reference machine."""

    slowness: Callable[[float], float]
    random: Random = field(default_factory=lambda: Random(0))
    spread: float = 0.0
    now: float = 0.0
    amounts: dict[str, int] = field(default_factory=dict)
    left_out: list[str] = field(default_factory=list)

    def probe(self) -> float:
        self.now += 1.5
        return REFERENCE_STEP_SECONDS * self.slowness(self.now) * self.random.uniform(0.9, 1.1)

    def spend(self, seconds: float) -> None:
        """Does the work of `seconds` of the reference machine, a tenth of a second at a time."""
        while seconds > 0:
            piece = min(seconds, 0.1)
            self.now += piece * self.slowness(self.now)
            seconds -= piece

    def run(self) -> Machine:
        """Does a quickstart as `life` does."""
        pace = Pace(dict(WORK), self.probe, lambda: self.now)
        for name in STAGES:
            if name in pace.sizes().left_out or ("instruct" in self.left_out and name == "dpo"):
                self.left_out.append(name)
                pace.skip([name])
                continue
            sizes, work = pace.sizes(), WORK[name]
            amount, limit = sizes.amounts[name], pace.limit(name, sizes)
            costs = 1 + self.spread * self.random.uniform(-1, 1)
            began, done = self.now, 0
            self.spend(work.seconds_besides / 2 * costs)
            while done < amount:
                if work.unit == "steps" and done >= work.least and self.now - began > 0.9 * limit:
                    break
                units = max(1, round(0.1 / work.seconds_each)) if work.seconds_each else 1
                self.spend(units * work.seconds_each * costs)
                done = min(amount, done + units)
            self.spend(work.seconds_besides / 2 * costs)
            self.amounts[name] = done
            pace.done(name, done, self.now - began)
        return self


def steady(slowness: float) -> Callable[[float], float]:
    return lambda _: slowness


def changing(before: float, after: float, at: float) -> Callable[[float], float]:
    return lambda now: before if now < at else after


def test_a_quiet_machine_does_everything_in_about_five_minutes() -> None:
    machine = Machine(steady(1.0)).run()
    assert machine.amounts == {name: work.most for name, work in WORK.items()}
    assert 4 * 60 < machine.now < 6 * 60
    assert not machine.left_out


@pytest.mark.parametrize("slowness", [0.3, 0.7, 1.0, 1.5, 2.0, 2.5, 3.0, 3.5, 4.0, 4.5, 5.0])
@pytest.mark.parametrize("seed", range(5))
def test_a_machine_up_to_five_times_slower_ends_within_twelve_minutes(slowness: float, seed: int) -> None:
    machine = Machine(steady(slowness), Random(seed), spread=0.3).run()
    assert machine.now < PROMISED
    assert machine.amounts.keys() == STAGES.keys() - set(machine.left_out)
    assert all(amount >= WORK[name].least for name, amount in machine.amounts.items())
    if slowness <= 4.5:
        assert not machine.left_out


@pytest.mark.parametrize("at", [5, 30, 60, 90, 120, 150, 200, 250, 300])
@pytest.mark.parametrize("seed", range(3))
def test_a_machine_that_becomes_five_times_slower_ends_in_time(at: float, seed: int) -> None:
    machine = Machine(changing(1.0, 5.0, at), Random(seed), spread=0.3).run()
    assert machine.now < PROMISED
    assert all(amount >= WORK[name].least for name, amount in machine.amounts.items())
    assert {"pretrain", "evaluate", "report"} <= machine.amounts.keys()


@pytest.mark.parametrize("at", [60, 200, 400])
def test_a_machine_that_becomes_quiet_does_more(at: float) -> None:
    slow, machine = Machine(steady(5.0)).run(), Machine(changing(5.0, 1.0, at)).run()
    assert machine.now < PROMISED
    assert not machine.left_out
    assert machine.amounts["evaluate"] > slow.amounts["evaluate"]


def test_a_machine_that_stalls_repeatedly_ends_in_time() -> None:
    machine = Machine(lambda now: 8.0 if int(now / 20) % 4 == 0 else 1.5, spread=0.2).run()
    assert machine.now < PROMISED
    assert all(amount >= WORK[name].least for name, amount in machine.amounts.items())


@pytest.mark.parametrize("slowness", [8.0, 12.0, 40.0])
def test_a_machine_that_is_too_slow_leaves_out_stages_and_trains_the_others_enough(slowness: float) -> None:
    machine = Machine(steady(slowness)).run()
    assert machine.left_out
    assert set(machine.left_out) <= set(LEFT_OUT_FIRST)
    assert machine.amounts["pretrain"] >= WORK["pretrain"].least
    assert machine.amounts.keys() == STAGES.keys() - set(machine.left_out)
    if slowness == 40.0:
        assert set(machine.left_out) == set(LEFT_OUT_FIRST)


def test_no_remaining_stage_needs_one_that_is_left_out() -> None:
    for seconds in range(0, 700, 10):
        left_out = fit(WORK, 5.0, seconds).left_out
        for name in set(STAGES) - set(left_out):
            assert not set(STAGES[name]) & set(left_out)


def test_sizes_grow_with_the_time_within_their_bounds() -> None:
    before = fit(WORK, 2.0, 0).amounts
    for seconds in range(0, 1_500, 25):
        sizes = fit(WORK, 2.0, seconds)
        assert all(WORK[name].least <= amount <= WORK[name].most for name, amount in sizes.amounts.items())
        if sizes.amounts.keys() == before.keys():
            assert all(amount >= before[name] for name, amount in sizes.amounts.items())
        if not sizes.left_out:
            assert sizes.total <= max(seconds, 2 * sum(work.seconds(work.least) for work in WORK.values())) + 1e-6
        before = sizes.amounts
    assert before == {name: work.most for name, work in WORK.items()}


def test_a_stage_that_takes_longer_than_planned_shortens_the_later_ones() -> None:
    def later(seconds: float) -> int:
        pace = Pace(dict(WORK), lambda: 3 * REFERENCE_STEP_SECONDS, lambda: 0.0)
        amount = pace.sizes().amounts["pretrain"]
        pace.done("pretrain", amount, seconds * pace.sizes().seconds["pretrain"])
        return pace.sizes().amounts["instruct"]

    assert later(1.5) < later(1.0)


def test_time_limits_exceed_the_plan_and_leave_the_others_time_for_their_least_sizes() -> None:
    pace = Pace(dict(WORK), lambda: 5 * REFERENCE_STEP_SECONDS, lambda: 0.0)
    sizes = pace.sizes()
    limit = pace.limit("pretrain", sizes)
    others = sum(5 * work.seconds(work.least) for name, work in WORK.items() if name != "pretrain")
    assert sizes.seconds["pretrain"] < limit
    assert limit <= max(1.1 * sizes.seconds["pretrain"], MOST_SECONDS - others) + 1e-6


@pytest.mark.parametrize("measured", [0.0, float("nan"), float("inf")])
def test_a_failed_measurement_counts_as_a_quiet_machine(measured: float) -> None:
    assert Pace({}, lambda: measured, lambda: 0.0).slowness == 1.0


def test_short_stages_share_a_measurement_and_a_long_one_is_followed_by_one() -> None:
    now, probes = [0.0], list[float]()

    def probe() -> float:
        probes.append(now[0])
        return REFERENCE_STEP_SECONDS

    pace = Pace(dict(WORK), probe, lambda: now[0])
    for name, seconds in (("stories", 2.0), ("tokenizer", 1.0), ("data", 2.0), ("pretrain", 90.0)):
        now[0] += seconds
        pace.done(name, WORK[name].most, seconds)
    assert probes == [0.0, 95.0]


def test_work_of_an_exact_size_has_only_that_size() -> None:
    work = Work("steps", 20, 60, 0.1, 1.0)
    assert (work.exactly(7).least, work.exactly(7).most) == (7, 7)
    assert (work.at_most(2).least, work.at_most(2).most) == (2, 2)
    assert (work.at_most(40).least, work.at_most(40).most) == (20, 40)
