"""A training run as a task describes it (`Job`), and what the command line adds to it (`RunOptions`).

`session.train` carries it out; every task is a subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, ClassVar, Generic

from pydantic import BaseModel

from tuppence.cost.ledger import Ledger, Rate
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Model, Objective


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: wall time of the run, evaluation and saving included.
        budget_usd: the most dollars it may spend, over all attempts.
        rate: what an hour of this machine costs.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none" or "tensorboard".
        began: when the command started, in seconds of `time.monotonic`: the limits count from there. None: with the
            run.
        ledger: the bill that the command line opened already (`bill.open_bill`); None: the run opens its own.
        whole_process: whether the process exists for this run alone; see `bill.open_bill`.
    """

    max_minutes: float | None = None
    budget_usd: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"
    began: float | None = None
    ledger: Ledger | None = None
    whole_process: bool = False


class Job(ABC, Generic[Model]):
    """One training run. The constructor reads the inputs and refuses what does not fit; `build` reads the weights.

    Attributes:
        verb: as on the command line, "finetune classify".
        compiles: what `train.compile: auto` means; False where every batch has another length.
        out: the run folder.
        train: how to train.
        settings: the other sections of the recipe as resolved; with others it is another run.
        inputs: what is read, by name ("data", "base", "tokenizer"), each with "fingerprint" and mostly "path".
        tokens_per_step: of one rank, as far as that is known beforehand.
        flops_per_token: of training on one token.
        rows: those that are trained on, where the run learns from rows; their prompts are noted in the run folder.
        facts: more for run.yaml.
        closing: how many evaluations' time `measure` takes; 0: nothing is measured.
    """

    verb: ClassVar[str]
    compiles: ClassVar[bool] = True

    out: Path
    train: TrainConfig
    settings: Mapping[str, BaseModel]
    inputs: Mapping[str, Mapping[str, Any]]
    tokens_per_step: int
    flops_per_token: float
    rows: Sequence[object] = ()
    facts: Mapping[str, Any] = {}
    closing: float = 0.0

    @abstractmethod
    def default_steps(self, ranks: int) -> int:
        """The steps of a run that neither steps, minutes nor dollars limit."""

    @abstractmethod
    def build(self, device: str) -> tuple[Objective[Model], Model]:
        """Makes the objective and the model on a device; torch's generator was seeded before."""

    @abstractmethod
    def write_result(self, model: Model) -> None:
        """Writes RUN/model and what belongs beside it, from the trained model."""

    def measure(self) -> dict[str, Any]:
        """Measures the result, by name, read from RUN as anybody would.

        It is on the run's clock, and given up where the run's limits leave no time for it.
        """
        return {}
