"""Reads the files of a quickstart below its ROOT: its state in ROOT/story.json, and the runs of its stages.

Missing and damaged parts are left out. Called by `page`, and by the quickstart, which writes the state.
"""

from __future__ import annotations

import contextlib
from collections.abc import Mapping
from dataclasses import asdict, dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.core.errors import TuppenceError
from tuppence.core.run import Run
from tuppence.figures.run_data import RunData, finite, read_run, series, value_at

STATE_NAME = "story.json"
_VERSION = 1

Stages = dict[str, dict[str, Any]]


@dataclass
class LifeState:
    """The state of a quickstart, kept in ROOT/story.json.

    Attributes:
        stages: finished stage → {title, command, wish, seconds, dollars, numbers}. `wish` has the user's limits on the
            stage (`Plan.choices`); files of earlier versions lack it.
        shares: stage → {amount, minutes, wish}: the size of the stage; amount and minutes can be None.
        left_out: stage that was not done → reason.
    """

    stages: Stages = field(default_factory=dict)
    shares: Stages = field(default_factory=dict)
    left_out: dict[str, str] = field(default_factory=dict)

    @classmethod
    def exists(cls, root: str | Path) -> bool:
        """Whether a quickstart was begun in a folder."""
        return (Path(root) / STATE_NAME).is_file()

    @classmethod
    def read(cls, root: str | Path) -> LifeState:
        """Reads the state of a folder; empty if the file is missing or damaged."""
        content: Any = {}
        with contextlib.suppress(TuppenceError):
            content = files.read_json(Path(root) / STATE_NAME)
        parts = content if isinstance(content, dict) else {}
        return cls(
            {name: one for name, one in _mapping(parts.get("stages")).items() if _is_stage(one)},
            {name: _share(one) for name, one in _mapping(parts.get("shares")).items() if _is_share(one)},
            {name: str(why) for name, why in _mapping(parts.get("left_out")).items()},
        )

    def write(self, root: str | Path) -> None:
        """Writes the state atomically."""
        files.write_json(Path(root) / STATE_NAME, {"version": _VERSION, **asdict(self)})


@dataclass(frozen=True)
class QuickstartData:
    """The state of a quickstart and its runs.

    Attributes:
        root: the folder of the quickstart.
        state: from ROOT/story.json.
        runs: stage → its run.
    """

    root: Path
    state: LifeState
    runs: Mapping[str, RunData]

    @classmethod
    def read(cls, root: Path) -> QuickstartData:
        """Reads the state and the runs of a folder."""
        state = LifeState.read(root)
        return cls(root, state, {name: read_run(root / name) for name in state.stages if Run(root / name).exists()})

    @property
    def stages(self) -> Stages:
        """The stages that are done."""
        return self.state.stages

    def numbers(self, stage: str) -> Mapping[str, Any]:
        """Returns the numbers of a stage; {} if it was not done."""
        return _mapping(self.stages.get(stage, {}).get("numbers"))

    @property
    def scores(self) -> Mapping[str, Any]:
        """The evaluation of the language models, by run."""
        return _mapping(self.numbers("evaluate").get("runs"))

    @property
    def classes(self) -> Mapping[str, Any]:
        """The evaluation of the spam run."""
        return _mapping(self.runs["spam"].evaluation.get("classification")) if "spam" in self.runs else {}

    def last(self, run: str, key: str) -> float | None:
        """Returns a metric at the last evaluation of a run; None if there is none."""
        if run not in self.runs:
            return None
        _, values = series(self.runs[run].metrics, key)
        return values[-1] if values else None

    @property
    def seconds(self) -> float:
        """Wall time of all stages except the report."""
        return sum(float(stage["seconds"]) for name, stage in self.stages.items() if name != "report")


def number_at(scores: Mapping[str, Any], *keys: str) -> float | None:
    """Returns the finite number at a path of keys; None if there is none."""
    return finite(value_at(scores, *keys))


def _mapping(value: Any) -> dict[str, Any]:
    return value if isinstance(value, dict) else {}


def _is_stage(value: Any) -> bool:
    return (
        isinstance(value, dict) and finite(value.get("seconds")) is not None and isinstance(value.get("numbers"), dict)
    )


def _is_share(value: Any) -> bool:
    return isinstance(value, dict) and all(_is_absent_or_positive(value.get(key)) for key in ("amount", "minutes"))


def _share(value: dict[str, Any]) -> dict[str, Any]:
    return {key: value.get(key) for key in ("amount", "minutes", "wish")}


def _is_absent_or_positive(value: Any) -> bool:
    number = finite(value)
    return value is None or (number is not None and number > 0)
