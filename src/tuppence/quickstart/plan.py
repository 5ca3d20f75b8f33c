"""What a person can choose about the quickstart, and where it keeps what it makes."""

from __future__ import annotations

from dataclasses import dataclass, field
from pathlib import Path

from tuppence.cost.ledger import Rate
from tuppence.quickstart import STAGES
from tuppence.tasks.job import RunOptions
from tuppence.training.config import TrainConfig

STORIES = 20_000
ROWS = {"sms": 8_000, "instructions": 20_000, "preferences": 3_000}
LANGUAGE_MODELS = ("pretrain", "instruct", "dpo")
"""Stages that make one, in the order in which one comes from the other."""

RESULTS = {
    "stories": "stories.txt",
    "tokenizer": "tokenizer/tokenizer.json",
    "data": "data/index.json",
    "pretrain": "pretrain/model",
    "spam": "spam/model",
    "instruct": "instruct/model",
    "dpo": "dpo/model",
    "evaluate": "pretrain/evaluation.json",
    "report": "report.html",
}
"""What stands below the root once a stage is done."""

CAPS = {"spam": 0.8, "instruct": 1.75, "dpo": 0.5}
"""Minutes that a finetune may take, where its steps do not end it before: the whole stays below six."""


@dataclass(frozen=True)
class Plan:
    """What a person can choose about the quickstart.

    Attributes:
        root: the folder for everything.
        minutes: how long to pretrain.
        stories: how many stories to make.
        rows: the most rows of each of the other sets; None: as many as `ROWS` says.
        max_steps: the most steps of each training stage.
        rate: what an hour of this machine costs.
        skip: names of stages.
    """

    root: Path
    minutes: float = 2.1
    stories: int = STORIES
    rows: int | None = None
    max_steps: int | None = None
    rate: Rate = field(default_factory=Rate)
    skip: frozenset[str] = frozenset()

    def count(self, name: str) -> int:
        """How many rows of a set to make."""
        return ROWS[name] if self.rows is None else min(self.rows, ROWS[name])

    def place(self, name: str) -> Path:
        """A file or folder of the quickstart."""
        return self.root / name

    def stands(self, name: str) -> bool:
        """Whether a stage left its result here."""
        return (self.root / RESULTS[name]).exists()

    @property
    def left_out(self) -> dict[str, str]:
        """Stages that are not done, and why: they are skipped, or need one that is and that left no result before."""
        why: dict[str, str] = {}
        for name, needs in STAGES.items():
            missing = [need for need in needs if need in why and not self.stands(need)]
            if name in self.skip:
                why[name] = "skipped, as asked"
            elif missing:
                why[name] = f"skipped: it needs {missing[0]}, which is skipped"
        return why

    @property
    def models(self) -> list[Path]:
        """The runs of language models that there are once the training stages are done."""
        return [self.root / name for name in LANGUAGE_MODELS if name not in self.left_out or self.stands(name)]

    def train(self, train: TrainConfig) -> TrainConfig:
        """A recipe's section, with the limit of steps on top where it is the lower one."""
        lower = self._lower_limit(train)
        return train if lower is None else train.model_copy(update={"max_steps": lower})

    def limits(self, train: TrainConfig, minutes: float) -> str:
        """The flags of a training verb that this plan comes to."""
        lower = self._lower_limit(train)
        steps = "" if lower is None else f" --max-steps {lower}"
        rate = f" --rate {self.rate.dollars_per_hour:g}" if self.rate.dollars_per_hour else ""
        return f"{steps} --max-minutes {minutes:g}{rate}"

    def options(self, minutes: float) -> RunOptions:
        """The same for Python."""
        return RunOptions(max_minutes=minutes, rate=self.rate)

    def _lower_limit(self, train: TrainConfig) -> int | None:
        if self.max_steps is None or (train.max_steps or self.max_steps) < self.max_steps:
            return None
        return self.max_steps
