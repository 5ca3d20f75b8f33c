"""What a quickstart left below its ROOT: the state that it keeps in ROOT/story.json, and the runs of its stages.

Reading leaves out whatever is missing or damaged. Called by `page`, and by the quickstart, which writes the state.
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
from tuppence.figures.run_data import RunData, finite, read_run, series

STATE_NAME = "story.json"
_VERSION = 1

Stages = dict[str, dict[str, Any]]


@dataclass
class LifeState:
    """The state of a quickstart, kept in ROOT/story.json.

    Attributes:
        stages: stage → {title, command, wish, seconds, dollars, numbers}, of those that are done; files of earlier
            versions have no `wish`.
        shares: stage → {amount, minutes, wish}: how large each stage is to be; amount and minutes may be None.
        left_out: stages that were not done → why.
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
        """The state in a folder; an empty one where there is none, or a damaged one."""
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
        """Writes the state, complete or not at all."""
        files.write_json(Path(root) / STATE_NAME, {"version": _VERSION, **asdict(self)})


@dataclass(frozen=True)
class QuickstartData:
    """The state of a quickstart and its runs.

    Attributes:
        root: the quickstart's folder.
        state: from ROOT/story.json.
        runs: stage → the run that it made.
    """

    root: Path
    state: LifeState
    runs: Mapping[str, RunData]

    @classmethod
    def read(cls, root: Path) -> QuickstartData:
        """What a quickstart left in a folder."""
        state = LifeState.read(root)
        return cls(root, state, {name: read_run(root / name) for name in state.stages if Run(root / name).exists()})

    @property
    def stages(self) -> Stages:
        """The stages that are done."""
        return self.state.stages

    def numbers(self, stage: str) -> Mapping[str, Any]:
        """What a stage returned; empty where it was not done."""
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
        """A metric at the last evaluation of a run."""
        if run not in self.runs:
            return None
        _, values = series(self.runs[run].metrics, key)
        return values[-1] if values else None

    @property
    def seconds(self) -> float:
        """Wall time of all stages but the report."""
        return sum(float(stage["seconds"]) for name, stage in self.stages.items() if name != "report")


def number_at(scores: Mapping[str, Any], *keys: str) -> float | None:
    """The finite number at a path of keys; None where there is none."""
    value: Any = scores
    for key in keys:
        value = value.get(key) if isinstance(value, Mapping) else None
    return finite(value)


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
