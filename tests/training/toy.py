"""A problem that trains in milliseconds: a bigram model on random tokens, with the real loop."""

from __future__ import annotations

from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any

import torch
from torch import Tensor, nn

from tuppence.core.run import Run
from tuppence.cost.ledger import Ledger, Rate
from tuppence.cost.limits import Limits
from tuppence.data.buckets import IGNORED_TARGET
from tuppence.training.checkpoints import CheckpointManager
from tuppence.training.config import TrainConfig
from tuppence.training.deadline import Deadline
from tuppence.training.execution import Execution
from tuppence.training.loop import Loop
from tuppence.training.metrics import MetricsLogger
from tuppence.training.objective import Batch, Objective, Sample
from tuppence.training.step import Step
from tuppence.training.throughput import Meter

VOCAB, WIDTH, SEQUENCES = 11, 8, 8


class Bigram(nn.Module):
    def __init__(self) -> None:
        super().__init__()
        self.embedding = nn.Embedding(VOCAB, WIDTH)
        self.blocks = nn.ModuleList([nn.Linear(WIDTH, WIDTH)])
        self.dropout = nn.Dropout(0.2)
        self.head = nn.Linear(WIDTH, VOCAB)

    def forward(self, tokens: Tensor) -> Tensor:
        return self.head(self.dropout(torch.tanh(self.blocks[0](self.embedding(tokens)))))


class Toy(Objective[nn.Module]):
    """Eight sequences a step, of unequal numbers of valid targets, in `accumulation` equal batches."""

    def __init__(self, accumulation: int = 1, on_loss: Callable[[int], None] | None = None) -> None:
        self.accumulation = accumulation
        self.on_loss = on_loss or (lambda step: None)
        self.current = -1
        self.on_evaluation: Callable[[], None] = lambda: None
        self.scale = lambda step: 1.0

    def sequences(self, step: int) -> Batch:
        random = torch.Generator().manual_seed(step)
        tokens = torch.randint(0, VOCAB, (SEQUENCES, 7), generator=random)
        inputs, targets = tokens[:, :-1], (tokens[:, :-1] * 3 + 1) % VOCAB
        lengths = torch.randint(1, 7, (SEQUENCES, 1), generator=random)
        return inputs, torch.where(torch.arange(6) < lengths, targets, IGNORED_TARGET)

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        self.current = step
        inputs, targets = self.sequences(step)
        return list(zip(inputs.chunk(self.accumulation), targets.chunk(self.accumulation), strict=True))

    def loss(self, model: nn.Module, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        if model.training:
            self.on_loss(self.current)
        inputs, targets = batch
        logits = model(inputs).flatten(0, 1).float()
        loss = nn.functional.cross_entropy(logits, targets.flatten(), ignore_index=IGNORED_TARGET, reduction="sum")
        return loss * (self.scale(self.current) if model.training else 1.0), {}

    def evaluation(self) -> Iterator[Batch]:
        for index in range(3):
            self.on_evaluation()
            yield self.sequences(1_000_000 + index)

    def samples(self, model: nn.Module) -> list[Sample]:
        return [Sample("a", "b")]


def toy_loop(folder: Path, objective: Toy | None = None, limits: Limits | None = None, **settings: Any) -> Loop:
    """A loop over the toy problem in `folder`; `settings` go to TrainConfig."""
    execution = settings.pop("execution", Execution("cpu", "float32", compile=False))
    resume, model = settings.pop("resume", None), settings.pop("model", None)
    config = TrainConfig(**{"learning_rate": 0.05, "warmup_steps": 2, "log_every": 1, "eval_every": 0, **settings})
    run = Run(folder)
    run.create()
    torch.manual_seed(0)
    model = model or Bigram()
    limits = limits or Limits(max_steps=12)
    written = folder / "written.txt"
    ledger = Ledger(run.ledger_file, Rate(limits.rate_usd_per_hour, "test"))
    step = Step(objective or Toy(), model, config, execution)
    deadline = Deadline.of(step, limits, ledger, Meter(1e3, None, 1))
    loop = Loop(
        step,
        deadline,
        CheckpointManager(run, step, resume),
        MetricsLogger(run, deadline, log_every=config.log_every),
        write_result=lambda _: written.write_text("result"),  # type: ignore[arg-type,return-value]
    )
    run.update(status="running")
    return loop


def weights(loop: Loop) -> Tensor:
    return torch.cat([parameter.detach().flatten() for parameter in loop.model.parameters()])
