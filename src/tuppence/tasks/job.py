"""`Job`: the description of a training run. Each task defines a subclass, and `session.train` runs it."""

from __future__ import annotations

from abc import ABC, abstractmethod
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, ClassVar, Generic

from pydantic import BaseModel

from tuppence.training.config import TrainConfig
from tuppence.training.objective import Model, Objective


class Job(ABC, Generic[Model]):
    """One training run. The constructor reads and checks the inputs; `build` reads the weights.

    Attributes:
        verb: as on the command line, for example "finetune classify".
        compiles: whether `train.compile: auto` can compile; False if batches differ in length.
        scales: whether the ranks can divide the model (`train.parallel: fsdp`), and whether a run can be continued on
            another number of ranks; False if the objective calls models outside of its loss.
        out: the run folder.
        train: the settings of the training loop.
        settings: the other sections of the recipe, resolved. They cannot change when a run is continued.
        inputs: what the run reads, by name ("data", "base", "tokenizer"), each with "fingerprint" and mostly "path".
        tokens_per_step: tokens of an optimizer step on one rank; an average if rows differ in length.
        flops_per_token: floating-point operations of training on one token.
        rows: the training rows, if the run learns from rows; hashes of their prompts are kept in the run folder.
        facts: further keys of run.yaml.
        closing: the time of `measure`, in multiples of one evaluation; 0: nothing is measured.
    """

    verb: ClassVar[str]
    compiles: ClassVar[bool] = True
    scales: ClassVar[bool] = True

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
        """The number of steps of a run without a limit on steps, minutes or dollars."""

    @abstractmethod
    def build(self, device: str) -> tuple[Objective[Model], Model]:
        """Makes the objective and the model on a device. The caller has seeded torch's generator."""

    @abstractmethod
    def write_result(self, model: Model) -> None:
        """Writes RUN/model and the other files of the result."""

    def measure(self) -> dict[str, Any]:
        """Measures RUN/model; returns the measurements by name.

        The limits of the run include this time. If they leave too little, the measurement is abandoned.
        """
        return {}
