"""What a training run is, as a task describes it (`Job`), and what the command line adds to it (`RunOptions`).

`session` does it; every task makes one. Nothing is done in here.
"""

from __future__ import annotations

from collections.abc import Callable, Mapping, Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from torch import nn

from tuppence.cost.ledger import Ledger, Rate
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Objective


@dataclass(frozen=True)
class RunOptions:
    """What the command line adds to a recipe.

    Attributes:
        max_minutes: wall time of the run, evaluation and saving included.
        budget: the most dollars it may spend, over all attempts.
        rate: what an hour of this machine costs.
        resume: "auto", "never", or the folder of a checkpoint.
        track: "none" or "tensorboard".
        began: when the command did, in seconds of `time.monotonic`: the limits count from there. None: with the run.
        ledger: the bill that the command line opened already (`bill.open_bill`); None: the run opens its own.
        whole_process: whether the process exists for this run alone; see `bill.open_bill`.
    """

    max_minutes: float | None = None
    budget: float | None = None
    rate: Rate = field(default_factory=Rate)
    resume: str = "auto"
    track: str = "none"
    began: float | None = None
    ledger: Ledger | None = None
    whole_process: bool = False


@dataclass(frozen=True)
class Job:
    """One training run, as a task describes it. Building the model comes after the refusals.

    Attributes:
        verb: as on the command line, "finetune classify".
        out: the run folder.
        train: how to train.
        settings: the other sections of the recipe as resolved; what differs from them later is another run.
        inputs: what is read, by name ("data", "base", "tokenizer"), each with "fingerprint" and mostly "path".
        tokens_per_step: of one rank, as far as it is known beforehand.
        default_steps: for so many ranks, where neither steps, minutes nor dollars limit the run.
        flops_per_token: of training on one token.
        build: makes the objective and the model on a device; torch's generator was seeded before.
        write_result: writes RUN/model and what belongs beside it, from the trained model.
        measure: what the result is worth, by name, read from RUN as anybody would. It is on the run's clock, and given
            up where the run's limits leave no time for it.
        closing: how many evaluations' time that takes.
        rows: those that are trained on; their prompts are noted in the run, where rows are what it learns from.
        facts: more for run.yaml.
        example: the command that people will want to type next.
        compile: what `train.compile: auto` means: for batches of ever-changing lengths, False.
    """

    verb: str
    out: Path
    train: TrainConfig
    settings: Mapping[str, Mapping[str, Any]]
    inputs: Mapping[str, Mapping[str, Any]]
    tokens_per_step: int
    default_steps: Callable[[int], int]
    flops_per_token: float
    build: Callable[[str], tuple[Objective[Any], nn.Module]]
    write_result: Callable[[nn.Module], None]
    measure: Callable[[], dict[str, Any]] | None = None
    closing: float = 0.0
    rows: Sequence[object] = ()
    facts: Mapping[str, Any] = field(default_factory=dict)
    example: str = ""
    compile: bool = True
