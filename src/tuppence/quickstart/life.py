"""Runs the stages of the quickstart, skips finished ones, and writes the state that the report reads.

The state, ROOT/story.json, has the size, the command, the time and the numbers of each stage; it is written before and
after every stage. A stage is done if the state has it with the same choices of the user, its result exists, and no
stage that it needs is done again. Before each stage, `pace` computes the sizes of the remaining stages from the present
speed of the machine.
"""

from __future__ import annotations

import difflib
import re
import time
from collections.abc import Mapping, Set
from typing import Any

from tuppence.core.console import note
from tuppence.core.errors import InputError
from tuppence.core.numbers import duration
from tuppence.core.run import Run
from tuppence.cost.ledger import read_attempts
from tuppence.figures.format import dollars_label
from tuppence.figures.quickstart_report.data import LifeState
from tuppence.quickstart import STAGES
from tuppence.quickstart.pace import MOST_SECONDS, WORK, Pace
from tuppence.quickstart.plan import FULL, READ_BY, ROWS, Plan, Share
from tuppence.quickstart.probe import seconds_of_a_step
from tuppence.quickstart.stages import Stage, list_stages

SLOW = 1.25
"""A message is printed from this slowness on."""

RESIZED = set(STAGES) - {"tokenizer", "data", "report"}
"""Stages whose size is printed. `tokenizer` and `data` have the size of `stories`."""


def quickstart(plan: Plan) -> dict[str, Any]:
    """Runs all stages in `plan.root`, or continues there.

    Returns:
        Stage → its numbers, for finished stages; also `out`, `left_out` (stage → reason), and `seconds` of all stages
        and attempts.

    Raises:
        InputError: a stage to skip is unknown, or the models in the folder were trained on other data.
        Interrupted: SIGINT or SIGTERM; finished stages are kept.
    """
    _check_names(plan.skip)
    state = LifeState.read(plan.root)
    _refuse_other_data(plan, state)
    return _Quickstart(plan, state).run()


class _Quickstart:
    """One pass through all stages."""

    def __init__(self, plan: Plan, state: LifeState) -> None:
        self.plan, self.done = plan, state.stages
        self.reasons = dict.fromkeys(plan.skip, "skipped, as asked")
        self.to_do = self._stages_to_do()
        self.decided = _kept_shares(plan, state)

    def run(self) -> dict[str, Any]:
        plan = self.plan
        pace = None
        if self.to_do:
            pace = Pace(self._works(), seconds_of_a_step, time.monotonic, MOST_SECONDS + 60 * (plan.minutes or 0))
            self._announce(pace)
        else:
            note(f"{plan.root}: everything is already done")
        for number, name in enumerate(STAGES, start=1):
            reason = self.left_out.get(name)
            if pace is not None and name in self.to_do and reason is None:
                self._size(name, pace)
                reason = self.left_out.get(name)
            stage = self._stage(name)
            note("")
            note(f"[{number}/{len(STAGES)}] {stage.title}")
            if reason is not None:
                note(f"      {reason}")
            elif name not in self.to_do:
                note("      already done")
            else:
                assert pace is not None
                self._do(stage, pace)
        return self._results()

    @property
    def shares(self) -> dict[str, Share]:
        return {**FULL, **self.decided}

    @property
    def left_out(self) -> dict[str, str]:
        return self.plan.without(self.reasons)

    def _stage(self, name: str) -> Stage:
        return next(one for one in list_stages(self.plan, self.shares, self.left_out) if one.name == name)

    # ---- which stages, and how much of each -------------------------------------------------------------------------

    def _stages_to_do(self) -> list[str]:
        """Returns stages that are not done, or that need a stage that is done again; without skipped stages."""
        to_do: list[str] = []
        for name in STAGES:
            needs = set(STAGES) if name in ("evaluate", "report") else set(STAGES[name])
            if name not in self.left_out and (needs & set(to_do) or not self._is_done(name)):
                to_do.append(name)
        return to_do

    def _is_done(self, name: str) -> bool:
        kept = self.done.get(name)
        if kept is None or not self.plan.is_done(name):
            return False
        return bool(kept.get("wish", self.plan.choices(name)) == self.plan.choices(name))  # older files have no wish

    def _works(self) -> dict[str, Any]:
        """Returns the remaining work. A stage that was begun keeps its size."""
        works = self.plan.works(self.to_do)
        for name in works.keys() & self.decided.keys():
            amount = self.decided[name].amount
            if amount is not None:
                works[name] = works[name].exactly(amount)
        return works

    def _leave_out(self, name: str, pace: Pace) -> None:
        """Leaves out a stage that does not fit into the time, and the stages that need it."""
        if name in pace.sizes().left_out:
            self.reasons[name] = (
                f"left out: at this speed ({pace.slowness:.1f} times slower than a quiet machine) there is no time to"
                " train it; the same command does it later"
            )
        pace.skip([one for one in self.left_out if one in pace.works])

    def _size(self, name: str, pace: Pace) -> None:
        """Decides how much of a stage is done, unless that was decided in an earlier process."""
        self._leave_out(name, pace)
        if name in self.left_out or name in self.decided:
            return
        if name == "pretrain" and self.plan.minutes is not None:
            self.decided[name] = Share(self.plan.max_steps, self.plan.minutes)
        else:
            sizes, unit = pace.sizes(), WORK[name].unit
            timed = unit == "steps" and self.plan.max_steps is None
            minutes = round(pace.limit(name, sizes) / 60, 2) if timed else None
            self.decided[name] = Share(sizes.amounts[name], minutes)
            if unit == "stories":
                for same in pace.works.keys() & {"tokenizer", "data"}:
                    pace.works[same] = pace.works[same].exactly(sizes.amounts[name])
        self._write()

    # ---- one stage --------------------------------------------------------------------------------------------------

    def _do(self, stage: Stage, pace: Pace) -> None:
        """Does a stage, and writes its numbers to the state."""
        plan, share, work = self.plan, self.shares[stage.name], WORK[stage.name]
        fixed = plan.max_steps if work.unit == "steps" else plan.stories
        if share.amount is not None and share.amount < work.most and fixed is None and stage.name in RESIZED:
            note(f"      {share.amount:,} of {work.most:,} {work.unit}: as many as fit into the time")
        note("      $ " + stage.command.replace("\n", "\n      $ "), lines=True)
        started = time.monotonic()
        numbers = stage.do()
        seconds = own_seconds = time.monotonic() - started
        if stage.run is not None:  # with attempts that were killed
            seconds = max(seconds, sum(attempt.seconds for attempt in read_attempts(Run(stage.run).ledger_file)))
        note(f"      {duration(seconds)}")
        dollars = seconds / 3600 * plan.rate.rate_usd_per_hour
        self.done[stage.name] = {
            "title": stage.title,
            "command": stage.command,
            "wish": plan.choices(stage.name),
            "seconds": round(seconds, 1),
            "dollars": round(dollars, 6),
            "numbers": numbers,
        }
        self._write()
        if stage.name in pace.works:
            pace.done(stage.name, _amount_done(numbers, share), own_seconds)

    def _write(self) -> None:
        plan = self.plan
        shares = {name: {**vars(share), "wish": plan.choices(name)} for name, share in self.decided.items()}
        LifeState(self.done, shares, self.left_out).write(plan.root)

    # ---- messages and results ---------------------------------------------------------------------------------------

    def _announce(self, pace: Pace) -> None:
        """Prints the stages to do, and how long they will take."""
        plan, sizes = self.plan, pace.sizes()
        seconds = sizes.total + 60 * (plan.minutes or 0) * ("pretrain" in self.to_do)
        names = ", ".join(name for name in self.to_do if name not in self.left_out)
        note(f"{names}: about {duration(seconds)} on this machine{_price(plan, seconds)}")
        if pace.slowness >= SLOW:
            short = any(amount < pace.works[name].most for name, amount in sizes.amounts.items())
            shorter = "; stages are shorter than on a quiet machine" if short else ""
            note(f"it is {pace.slowness:.1f} times slower than a quiet one with two cores{shorter}")

    def _results(self) -> dict[str, Any]:
        plan, done, left_out = self.plan, self.done, self.left_out
        seconds = sum(one["seconds"] for one in done.values())
        note("")
        note(f"total time {duration(seconds)}{_price(plan, seconds)}")
        missing = [name for name in left_out if name not in plan.skip and not plan.is_done(name)]
        if missing:
            note(f"not done: {', '.join(missing)}")
        found = {name: done[name]["numbers"] for name in STAGES if name in done}
        named = {"left_out": {name: left_out[name] for name in missing}} if missing else {}
        return {"out": str(plan.root), **found, **named, "seconds": seconds}


def _amount_done(numbers: Mapping[str, Any], share: Share) -> int:
    """Returns the number of units that a stage did: fewer steps than planned if its time limit ended it."""
    result = numbers.get("result")
    if isinstance(result, Mapping) and isinstance(result.get("steps"), int):
        return int(result["steps"])
    return share.amount or 0


def _kept_shares(plan: Plan, state: LifeState) -> dict[str, Share]:
    """Returns the sizes that an earlier process decided, for stages with the same choices."""
    shares = {}
    for name, kept in state.shares.items():
        if name in STAGES and kept.get("wish") == plan.choices(name):
            amount = kept["amount"]
            shares[name] = Share(None if amount is None else int(amount), kept["minutes"])
    stories = state.stages.get("stories", {}).get("numbers", {}).get("stories")
    if isinstance(stories, int):
        shares |= {name: Share(stories) for name in ("stories", "tokenizer", "data")}
    return shares


def _refuse_other_data(plan: Plan, state: LifeState) -> None:
    """Raises an error if the models in the folder were trained on other data."""
    asked_for = {"stories": plan.stories}
    if plan.rows is not None:
        asked_for |= {stage: min(plan.rows, ROWS[name]) for name, stage in READ_BY.items()}
    for name, asked in asked_for.items():
        before = str(state.stages.get(name, {}).get("command", "")).partition("\n")[0]
        made = re.search(r"^tuppence data synth \w+ --count (\d+)", before)
        if asked is not None and made and int(made[1]) != asked and plan.is_done(name):
            raise InputError(
                f"{plan.root} was begun with '{before}', and now it is --count {asked}",
                "give the same --stories and --rows, or choose another --out",
            )


def _check_names(skip: Set[str]) -> None:
    for name in sorted(skip - set(STAGES)):
        near = difflib.get_close_matches(name, STAGES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"stages: {', '.join(STAGES)}"
        raise InputError(f"there is no stage {name!r} to skip", hint)


def _price(plan: Plan, seconds: float) -> str:
    rate = plan.rate.rate_usd_per_hour
    return f", {dollars_label(seconds / 3600 * rate)} at {dollars_label(rate)} an hour" if rate else ""
