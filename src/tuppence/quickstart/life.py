"""Goes through the stages of the quickstart, passes over what stands, and keeps the record that the report tells from.

ROOT/story.json has, stage by stage, the command, the time and what was found; it is written after every stage. A stage
is passed over where it stands there with the same command, its result exists, and nothing it needs was done anew.
"""

from __future__ import annotations

import difflib
import time
from collections.abc import Mapping, Sequence, Set
from typing import Any

from tuppence.core import files
from tuppence.core.console import note
from tuppence.core.errors import InputError
from tuppence.cost.ledger import read_attempts
from tuppence.figures.report import duration
from tuppence.figures.story_record import RECORD_NAME, read_story
from tuppence.figures.style import dollars_label
from tuppence.quickstart import STAGES
from tuppence.quickstart.plan import Plan
from tuppence.quickstart.stages import Stage, list_stages

Record = dict[str, dict[str, Any]]
"""Stage → what story.json says of it."""


def quickstart(plan: Plan) -> dict[str, Any]:
    """Lives the whole life of a small model below `plan.root`, or goes on with it.

    Returns:
        Stage → its numbers, for those that are done; `out`, and `seconds` over all stages and attempts.

    Raises:
        InputError: a stage to skip is unknown, or the folder was begun with other data.
        Interrupted: SIGINT or SIGTERM; what is done stays done.
    """
    _check_names(plan.skip)
    record: Record = dict(read_story(plan.root))
    stages, left_out = list_stages(plan), plan.left_out
    _refuse_other_data(plan, stages, record)
    _announce(plan, [one for one in stages if one.name not in left_out and not _stands(plan, one, record, set())])
    anew: set[str] = set()
    for number, stage in enumerate(stages, start=1):
        note("")
        note(f"[{number}/{len(stages)}] {stage.title}")
        if stage.name in left_out:
            note(f"      {left_out[stage.name]}")
        elif _stands(plan, stage, record, anew):
            note("      stands already")
        else:
            record[stage.name] = _do(plan, stage)
            anew.add(stage.name)
            files.write_json(plan.root / RECORD_NAME, {"version": 1, "stages": record})
    seconds = sum(one["seconds"] for one in record.values())
    note("")
    note(f"the whole took {duration(seconds)}{_price(plan, seconds)}")
    found = {name: record[name]["numbers"] for name in STAGES if name in record}
    return {"out": str(plan.root), **found, "seconds": seconds}


def _do(plan: Plan, stage: Stage) -> dict[str, Any]:
    """Does a stage; returns what the record says of it."""
    note("      $ " + stage.command.replace("\n", "\n      $ "), lines=True)
    started = time.monotonic()
    numbers = stage.do()
    seconds = time.monotonic() - started
    if stage.run is not None:  # attempts that were killed count, too
        seconds = max(seconds, sum(attempt.seconds for attempt in read_attempts(stage.run / "ledger.jsonl")))
    note(f"      {duration(seconds)}")
    dollars = seconds / 3600 * plan.rate.dollars_per_hour
    return {
        "title": stage.title,
        "command": stage.command,
        "seconds": round(seconds, 1),
        "dollars": round(dollars, 6),
        "numbers": numbers,
    }


def _stands(plan: Plan, stage: Stage, record: Record, anew: Set[str]) -> bool:
    """Whether a stage need not be done: it was, in the same way, on what stands now."""
    kept = record.get(stage.name)
    if kept is None or kept.get("command") != stage.command or not plan.stands(stage.name):
        return False
    looks_at_all = stage.name in ("evaluate", "report")
    return not (anew if looks_at_all else anew & set(STAGES[stage.name]))


def _refuse_other_data(plan: Plan, stages: Sequence[Stage], record: Mapping[str, Mapping[str, Any]]) -> None:
    """Models that stand were trained on what stands: it is not replaced by something else."""
    for stage in stages:
        before = str(record.get(stage.name, {}).get("command", stage.command))
        for was, now in zip(before.split("\n"), stage.command.split("\n"), strict=False):
            if was != now and now.startswith("tuppence data synth") and plan.stands(stage.name):
                raise InputError(
                    f"{plan.root} was begun with '{was}', and now it is '{now}'",
                    "give the same --stories and --rows, or choose another --out",
                )


def _check_names(skip: Set[str]) -> None:
    for name in sorted(skip - set(STAGES)):
        near = difflib.get_close_matches(name, STAGES, n=1)
        hint = f"did you mean {near[0]}?" if near else f"stages: {', '.join(STAGES)}"
        raise InputError(f"there is no stage {name!r} to skip", hint)


def _announce(plan: Plan, stages: Sequence[Stage]) -> None:
    """What is about to happen, and how long it takes, before it starts."""
    if not stages:
        note(f"{plan.root}: everything stands already")
        return
    seconds = sum(stage.seconds for stage in stages)
    most = " at most" if plan.max_steps is not None else ""
    names = ", ".join(stage.name for stage in stages)
    note(f"{names}: about {duration(seconds)}{most} on two quiet cores{_price(plan, seconds)}")


def _price(plan: Plan, seconds: float) -> str:
    rate = plan.rate.dollars_per_hour
    return f", {dollars_label(seconds / 3600 * rate)} at {dollars_label(rate)} an hour" if rate else ""
