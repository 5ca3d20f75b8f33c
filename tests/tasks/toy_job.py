"""A job on the toy problem of the loop's tests, which trains in milliseconds."""

from __future__ import annotations

from collections.abc import Callable, Mapping
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any

from tests.training.toy import Bigram, Toy
from torch import nn

from tuppence.core.run import Run
from tuppence.tasks.job import Job
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Objective


@dataclass
class ToyJob(Job[nn.Module]):
    """Two steps by default, and a measurement where one is given."""

    verb = "toy"
    tokens_per_step = 48
    flops_per_token = 1.0

    out: Path
    train: TrainConfig = field(default_factory=TrainConfig)
    settings: Mapping[str, Any] = field(default_factory=dict)
    inputs: Mapping[str, Mapping[str, Any]] = field(default_factory=lambda: {"data": {"fingerprint": "toy"}})
    measured: Callable[[], dict[str, Any]] | None = None
    objective: Callable[[], Toy] = Toy

    def __post_init__(self) -> None:
        self.closing = 0.0 if self.measured is None else 0.5

    def default_steps(self, ranks: int) -> int:
        return 2

    def build(self, device: str) -> tuple[Objective[nn.Module], nn.Module]:
        return self.objective(), Bigram().to(device)

    def write_result(self, model: nn.Module) -> None:
        Run(self.out).model.mkdir(exist_ok=True)
        (Run(self.out).model / "config.json").write_text("{}")

    def measure(self) -> dict[str, Any]:
        return self.measured() if self.measured is not None else {}


def toy_job(out: Path, measured: Callable[[], dict[str, Any]] | None = None, **settings: Any) -> ToyJob:
    """A job of two steps in float32; `settings` go to TrainConfig."""
    config = TrainConfig(**{"max_steps": 2, "warmup_steps": 0, "eval_every": 0, "precision": "float32", **settings})
    return ToyJob(out, config, measured=measured)
