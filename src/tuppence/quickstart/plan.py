"""The user's choices for the quickstart, and the paths of its results."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.pace import WORK, Work
from tuppence.tasks.run_options import RunOptions
from tuppence.training.config import TrainConfig

ROWS = {"sms": 8_000, "instructions": 20_000, "preferences": 3_000}
"""Set → its rows if the stage that reads it has its full size; a smaller stage has fewer."""

READ_BY = {"sms": "spam", "instructions": "instruct", "preferences": "dpo"}
"""Set → the stage that reads it."""

FEWEST_ROWS = 100

LANGUAGE_MODELS = ("pretrain", "instruct", "dpo")
"""Stages that make a language model; each one is the base of the next."""

RESULTS = {
    "stories": Path("stories.txt"),
    "tokenizer": Path("tokenizer/tokenizer.json"),
    "data": Path("data/index.json"),
    "pretrain": Run(Path("pretrain")).model,
    "spam": Run(Path("spam")).model,
    "instruct": Run(Path("instruct")).model,
    "dpo": Run(Path("dpo")).model,
    "evaluate": Run(Path("pretrain")).evaluation_file,
    "report": Run(Path()).report_file,
}
"""Stage → the file or folder below the root that it writes last."""


@dataclass(frozen=True)
class Share:
    """The size of a stage.

    Attributes:
        amount: number of stories, steps or questions (see `pace.WORK`); None for as many steps as the minutes allow.
        minutes: the time limit of a training stage; None for no limit.
    """

    amount: int | None
    minutes: float | None = None


FULL = {name: Share(work.most) for name, work in WORK.items()}
"""Every stage in its full size, as on a quiet machine."""


@dataclass(frozen=True)
class Plan:
    """The user's choices for the quickstart.

    Attributes:
        root: the folder for everything.
        minutes: the time of pretraining; None for as long as fits.
        stories: the number of stories; None for as many as fit.
        rows: the most rows of each of the other sets; None for as many as fit, up to `ROWS`.
        max_steps: the most steps of each training stage.
        rate: the cost of an hour on this machine.
        skip: names of stages to leave out.
    """

    root: Path
    minutes: float | None = None
    stories: int | None = None
    rows: int | None = None
    max_steps: int | None = None
    rate: Rate = field(default_factory=Rate)
    skip: frozenset[str] = frozenset()

    def count(self, name: str, share: Share) -> int:
        """Returns the number of rows of a set that a stage of that size needs."""
        most = WORK[READ_BY[name]].most
        fitting = max(FEWEST_ROWS, ROWS[name] * (share.amount or most) // most)
        return min(fitting, ROWS[name]) if self.rows is None else min(self.rows, ROWS[name])

    def works(self, names: Collection[str]) -> dict[str, Work]:
        """Returns the work of stages, within the choices of the user; without pretraining if `minutes` is given."""
        works = {name: work for name, work in WORK.items() if name in names}
        for name, work in works.items():
            if work.unit == "stories" and self.stories is not None:
                works[name] = work.exactly(self.stories)
            if work.unit == "steps" and self.max_steps is not None:
                works[name] = work.at_most(self.max_steps)
        if self.minutes is not None:
            works.pop("pretrain", None)
        return works

    def choices(self, name: str) -> dict[str, Any]:
        """Returns the user's limits on the training of a stage. If they change, the stage is done again."""
        chosen: dict[str, Any] = {"max_steps": self.max_steps} if WORK[name].unit == "steps" else {}
        if name == "pretrain":
            chosen["minutes"] = self.minutes
        return {key: value for key, value in chosen.items() if value is not None}

    def place(self, name: str) -> Path:
        """Returns the path of a file or folder of the quickstart."""
        return self.root / name

    def is_done(self, name: str) -> bool:
        """Whether the result of a stage exists."""
        return (self.root / RESULTS[name]).exists()

    @property
    def left_out(self) -> dict[str, str]:
        """Stage that is not done → reason: it is skipped, or it needs a skipped stage without a result."""
        return self.without(dict.fromkeys(self.skip, "skipped, as asked"))

    def without(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """Returns stage that is not done → reason, in order, if the stages in `reasons` are not done."""
        why: dict[str, str] = {}
        for name, needs in STAGES.items():
            missing = [need for need in needs if need in why and not self.is_done(need)]
            if name in reasons:
                why[name] = reasons[name]
            elif missing:
                why[name] = f"skipped: it needs {missing[0]}, which is skipped"
        return why

    def models(self, left_out: Mapping[str, str]) -> list[Path]:
        """Returns the runs of language models that exist once the training stages are done."""
        return [self.root / name for name in LANGUAGE_MODELS if name not in left_out or self.is_done(name)]

    def train(self, train: TrainConfig, share: Share) -> TrainConfig:
        """Returns the training section of a recipe, with the steps of a share."""
        return train if share.amount is None else train.model_copy(update={"max_steps": share.amount})

    def limits(self, share: Share) -> str:
        """Returns the limits of a share as flags of a training verb."""
        steps = "" if share.amount is None else f" --max-steps {share.amount}"
        minutes = "" if share.minutes is None else f" --max-minutes {share.minutes:g}"
        rate = f" --rate {self.rate.rate_usd_per_hour:g}" if self.rate.rate_usd_per_hour else ""
        return f"{steps}{minutes}{rate}"

    def options(self, share: Share) -> RunOptions:
        """Returns the limits of a share as options of a training function."""
        return RunOptions(max_minutes=share.minutes, rate=self.rate)
