"""What a person can choose about the quickstart, and where it keeps what it makes."""

from __future__ import annotations

from collections.abc import Collection, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tuppence.core.run import Run
from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.quickstart.pace import WORK, Work
from tuppence.tasks.job import RunOptions
from tuppence.training.config import TrainConfig

ROWS = {"sms": 8_000, "instructions": 20_000, "preferences": 3_000}
"""Rows of a set where the stage that reads it has its full size; fewer where it is smaller."""

READ_BY = {"sms": "spam", "instructions": "instruct", "preferences": "dpo"}
"""Set → the stage that reads it."""

FEWEST_ROWS = 100

LANGUAGE_MODELS = ("pretrain", "instruct", "dpo")
"""Stages that make one, in the order in which one comes from the other."""

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
"""What stands below the root once a stage is done."""


@dataclass(frozen=True)
class Share:
    """How much of a stage is done.

    Attributes:
        amount: stories, steps or questions (`pace.WORK`); None: as many steps as the minutes allow.
        minutes: after which a training stage ends by the clock; None: when its steps are made.
    """

    amount: int | None
    minutes: float | None = None


FULL = {name: Share(work.most) for name, work in WORK.items()}
"""Every stage as on a quiet machine."""


@dataclass(frozen=True)
class Plan:
    """What a person can choose about the quickstart.

    Attributes:
        root: the folder for everything.
        minutes: how long to pretrain; None: as long as fits.
        stories: how many stories to make; None: as many as fit.
        rows: the most rows of each of the other sets; None: as many as fit, up to `ROWS`.
        max_steps: the most steps of each training stage.
        rate: what an hour of this machine costs.
        skip: names of stages.
    """

    root: Path
    minutes: float | None = None
    stories: int | None = None
    rows: int | None = None
    max_steps: int | None = None
    rate: Rate = field(default_factory=Rate)
    skip: frozenset[str] = frozenset()

    def count(self, name: str, share: Share) -> int:
        """How many rows of a set to make, for a stage of that size."""
        most = WORK[READ_BY[name]].most
        fitting = max(FEWEST_ROWS, ROWS[name] * (share.amount or most) // most)
        return min(fitting, ROWS[name]) if self.rows is None else min(self.rows, ROWS[name])

    def works(self, names: Collection[str]) -> dict[str, Work]:
        """What those stages are sized in, within what was chosen; pretraining is absent where it has minutes."""
        works = {name: work for name, work in WORK.items() if name in names}
        for name, work in works.items():
            if work.unit == "stories" and self.stories is not None:
                works[name] = work.exactly(self.stories)
            if work.unit == "steps" and self.max_steps is not None:
                works[name] = work.at_most(self.max_steps)
        if self.minutes is not None:
            works.pop("pretrain", None)
        return works

    def wish(self, name: str) -> dict[str, Any]:
        """What was chosen about how a stage trains: where that is another, the stage is done anew."""
        chosen: dict[str, Any] = {"max_steps": self.max_steps} if WORK[name].unit == "steps" else {}
        if name == "pretrain":
            chosen["minutes"] = self.minutes
        return {key: value for key, value in chosen.items() if value is not None}

    def place(self, name: str) -> Path:
        """A file or folder of the quickstart."""
        return self.root / name

    def stands(self, name: str) -> bool:
        """Whether a stage left its result here."""
        return (self.root / RESULTS[name]).exists()

    @property
    def left_out(self) -> dict[str, str]:
        """Stages that are not done, and why: they are skipped, or need one that is and that left no result before."""
        return self.without(dict.fromkeys(self.skip, "skipped, as asked"))

    def without(self, reasons: Mapping[str, str]) -> dict[str, str]:
        """Stages that are not done where those are not, in order, and why."""
        why: dict[str, str] = {}
        for name, needs in STAGES.items():
            missing = [need for need in needs if need in why and not self.stands(need)]
            if name in reasons:
                why[name] = reasons[name]
            elif missing:
                why[name] = f"skipped: it needs {missing[0]}, which is skipped"
        return why

    def models(self, left_out: Mapping[str, str]) -> list[Path]:
        """The runs of language models that there are once the training stages are done."""
        return [self.root / name for name in LANGUAGE_MODELS if name not in left_out or self.stands(name)]

    def train(self, train: TrainConfig, share: Share) -> TrainConfig:
        """A recipe's section, with the steps of this quickstart."""
        return train if share.amount is None else train.model_copy(update={"max_steps": share.amount})

    def limits(self, share: Share) -> str:
        """The flags of a training verb that this comes to."""
        steps = "" if share.amount is None else f" --max-steps {share.amount}"
        minutes = "" if share.minutes is None else f" --max-minutes {share.minutes:g}"
        rate = f" --rate {self.rate.dollars_per_hour:g}" if self.rate.dollars_per_hour else ""
        return f"{steps}{minutes}{rate}"

    def options(self, share: Share) -> RunOptions:
        """The same for Python."""
        return RunOptions(max_minutes=share.minutes, rate=self.rate)
