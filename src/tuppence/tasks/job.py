"""A training run as a task describes it: `Job`.

`session.train` carries it out; every task is a subclass.
"""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

from pydantic import BaseModel

from tuppence.training.config import TrainConfig
from tuppence.training.objective import Model, Objective


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
