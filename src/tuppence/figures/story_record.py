"""What the quickstart left behind, as the page of the whole life reads it: ROOT/story.json and the runs beside it.

Whatever is missing or damaged is left out. Writes nothing. Called by `story`, and by the quickstart itself, which
keeps the record.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.core.errors import TuppenceError
from tuppence.figures.record import RunRecord, finite, series

RECORD_NAME = "story.json"
"""What the quickstart keeps: {"version": 1, "stages": {name: {title, command, seconds, dollars, numbers}}, "shares":
{name: {amount, minutes, wish}}, "left_out": {name: why}}; older ones have stages alone."""


@dataclass(frozen=True)
class Story:
    """What there is to tell.

    Attributes:
        root: the quickstart's folder.
        stages: story.json, by stage.
        runs: the runs of those stages that made one.
    """

    root: Path
    stages: Mapping[str, Mapping[str, Any]]
    runs: Mapping[str, RunRecord]

    def numbers(self, stage: str) -> Mapping[str, Any]:
        """What a stage found; nothing where it was not done."""
        found = self.stages.get(stage, {}).get("numbers")
        return found if isinstance(found, Mapping) else {}

    @property
    def scores(self) -> Mapping[str, Any]:
        """The evaluation of the language models, by run."""
        runs = self.numbers("evaluate").get("runs")
        return runs if isinstance(runs, Mapping) else {}

    @property
    def classes(self) -> Mapping[str, Any]:
        """The spam run's evaluation."""
        found = self.runs["spam"].evaluation.get("classification") if "spam" in self.runs else None
        return found if isinstance(found, Mapping) else {}

    def last(self, run: str, key: str) -> float | None:
        """A metric at a run's last evaluation."""
        if run not in self.runs:
            return None
        _, values = series(self.runs[run].metrics, key)
        return values[-1] if values else None

    @property
    def seconds(self) -> float:
        """Wall time of all stages but the report."""
        return sum(float(stage["seconds"]) for name, stage in self.stages.items() if name != "report")


def read_story(root: str | Path) -> dict[str, dict[str, Any]]:
    """The stages in ROOT/story.json; none where there is no such file, or it is damaged."""
    found = _part(Path(root), "stages")
    return {
        name: one
        for name, one in found.items()
        if isinstance(one, dict) and finite(one.get("seconds")) is not None and isinstance(one.get("numbers"), dict)
    }


def read_shares(root: Path) -> dict[str, dict[str, Any]]:
    """How large each stage is to be, by ROOT/story.json: `amount` and `minutes`, each a number or None, and `wish`."""
    return {
        name: {"amount": one.get("amount"), "minutes": one.get("minutes"), "wish": one.get("wish")}
        for name, one in _part(root, "shares").items()
        if isinstance(one, dict) and all(_absent_or_positive(one.get(key)) for key in ("amount", "minutes"))
    }


def read_left_out(root: Path) -> dict[str, str]:
    """Stages that were not done, and why, by ROOT/story.json."""
    return {name: str(why) for name, why in _part(root, "left_out").items()}


def _part(root: Path, name: str) -> dict[str, Any]:
    content: Any = {}
    with contextlib.suppress(TuppenceError):
        content = files.read_json(root / RECORD_NAME)
    part = content.get(name) if isinstance(content, dict) else None
    return part if isinstance(part, dict) else {}


def _absent_or_positive(value: Any) -> bool:
    number = finite(value)
    return value is None or (number is not None and number > 0)


def number_at(scores: Mapping[str, Any], *keys: str) -> float | None:
    """The finite number at a path of keys; None where there is none."""
    value: Any = scores
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return finite(value)
