"""`tp.fit`: trains a model that is in memory on data that are in memory, through the one loop of all training verbs."""

from __future__ import annotations

import hashlib
from collections.abc import Iterator
from pathlib import Path
from typing import Any, TypeAlias

import numpy as np
import torch
from torch import Tensor, nn

from tuppence.core.config import Section
from tuppence.core.console import listening
from tuppence.core.errors import InputError
from tuppence.course.recipes import recipe_of
from tuppence.course.runs import Run, temporary_folder
from tuppence.data.batches import permute
from tuppence.model.gpt import GPT
from tuppence.storage import output_path
from tuppence.tasks.job import Job
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample

Data: TypeAlias = "Tensor | Objective[Any]"


class _FitRecipe(Section):
    train: TrainConfig = TrainConfig()


def fit(
    model: nn.Module,
    data: Data,
    steps: int,
    *,
    lr: float = 1e-3,
    optimizer: str = "adamw",
    val: Tensor | None = None,
    out: str | Path | None = None,
    batch_size: int = 8,
    eval_every: int = 0,
    seed: int = 1,
    **train_keys: Any,
) -> Run:
    """Trains a model in place. The loop is that of `tuppence pretrain`; learning rate and weights are plain by default:
    constant rate, no warm-up, no weight decay, float32 on a CPU, a row of metrics for every step.

    Args:
        model: a `GPT`; or any module if `data` is an objective.
        data: token ids of a text, (N,), cut into windows of the model's context; or one sequence a row, (R, T + 1),
            whose targets are the next tokens; or an `Objective` with its own batches and loss.
        steps: optimizer steps.
        lr: peak learning rate. For Muon 1e-2 is usual, for AdamW 1e-3.
        optimizer: "adamw", or "muon" for the matrices inside the blocks.
        val: held-out tokens in either form. The model gets the weights of the best validation.
        out: the run folder; by default a temporary one, which lives as long as the process.
        batch_size: sequences of a step.
        eval_every: steps between validations; 0: only at the end.
        seed: of the order of the data, and of dropout.
        train_keys: other keys of the `train` section of a recipe, such as `schedule="cosine"` or `warmup_steps=20`.

    Raises:
        InputError: data, model and settings do not fit together.

    Example:
        >>> from tuppence.model.config import ModelConfig
        >>> model = GPT(ModelConfig(n_layers=1, n_heads=1, d_model=8, context_length=8, vocab_size=4))
        >>> run = fit(model, torch.tensor([0, 1, 2, 3] * 40), steps=30, lr=0.03)
        >>> run.series("loss")[1][-1] < run.series("loss")[1][0]
        True
    """
    on_cpu = not torch.cuda.is_available()
    plain = {
        "schedule": "constant",
        "warmup_steps": 0,
        "weight_decay": 0.0,
        "precision": "float32" if on_cpu else "auto",
        "compile": False,
        "log_every": 1,
        "checkpoint_minutes": 0.0,
        "sample_tokens": 0,
    }
    given = {"learning_rate": lr, "optimizer": optimizer, "batch_size": batch_size, "eval_every": eval_every}
    config = recipe_of(_FitRecipe, None, {**plain, **given, "seed": seed, "max_steps": steps, **train_keys}).train
    place = temporary_folder("fit") if out is None else out
    job = _MemoryJob(model, _objective(model, data, val, config), place, config)
    with listening():
        train(job, RunOptions())
    model.eval()
    return Run(job.out, model=model)


def _objective(model: nn.Module, data: Data, val: Tensor | None, config: TrainConfig) -> Objective[Any]:
    if isinstance(data, Objective):
        if val is not None:
            raise InputError("an objective has its own held-out batches", "leave out val")
        return data
    if not isinstance(model, GPT):
        raise InputError(f"tokens train a GPT, not a {type(model).__name__}", "give an Objective with its own loss")
    context = model.config.context_length
    return _NextToken(_rows(data, context), None if val is None else _rows(val, context), config)


def _rows(tokens: Tensor, context: int) -> Tensor:
    """The sequences with their last target, (R, T + 1): rows as given, or the windows of a text without overlap."""
    if tokens.ndim == 1:
        if len(tokens) <= context:
            raise InputError(
                f"{len(tokens):,} tokens are fewer than one window of {context:,}", "use more text or a shorter context"
            )
        return tokens.unfold(0, context + 1, context)
    if tokens.ndim != 2 or not 2 <= tokens.shape[1] <= context + 1:
        raise InputError(
            f"token ids of shape {tuple(tokens.shape)} are no sequences",
            f"give (N,), or (R, T + 1) with at most {context + 1:,} columns",
        )
    return tokens


class _NextToken(Objective[GPT]):
    """Next-token prediction on rows in memory, in the order in which pretraining reads its windows."""

    def __init__(self, rows: Tensor, val: Tensor | None, config: TrainConfig) -> None:
        self.rows, self._val, self._config = rows, val, config

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        size, parts = self._config.batch_size, self._config.accumulation_steps
        found = []
        for part in range(parts):
            first = ((step * parts + part) * world_size + rank) * size
            found.append(_inputs_and_targets(self.rows[self._numbers(first, size)]))
        return found

    def _numbers(self, first: int, size: int) -> Tensor:
        epochs_B, places_B = np.divmod(np.arange(first, first + size), len(self.rows))
        numbers_B = np.empty_like(places_B)
        for epoch in np.unique(epochs_B):
            here = epochs_B == epoch
            numbers_B[here] = permute(places_B[here], len(self.rows), self._config.seed, int(epoch))
        return torch.from_numpy(numbers_B)

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, targets_BT = batch
        return model.loss(tokens_BT, targets_BT), {}

    def evaluation(self) -> Iterator[Batch]:
        if self._val is not None:
            for first in range(0, len(self._val), self._config.batch_size):
                yield _inputs_and_targets(self._val[first : first + self._config.batch_size])

    def samples(self, model: GPT) -> list[Sample]:
        return []


def _inputs_and_targets(rows_BS: Tensor) -> Batch:
    targets_BT = rows_BS[:, 1:].contiguous()
    return rows_BS[:, :-1].clamp(min=0).contiguous(), targets_BT


class _MemoryJob(Job[Any]):
    """Trains a model that exists already."""

    verb = "fit"
    settings: dict[str, Any] = {}  # noqa: RUF012  nothing besides `train`

    def __init__(self, model: nn.Module, objective: Objective[Any], out: str | Path, config: TrainConfig) -> None:
        self._model, self._objective = model, objective
        self.out, self.train = output_path(out), config
        tokens, width = config.batch_size * config.accumulation_steps, 1
        digest = hashlib.sha256(repr(objective).encode())
        if isinstance(objective, _NextToken):
            width = objective.rows.shape[1] - 1
            digest = hashlib.sha256(objective.rows.contiguous().numpy().tobytes())
        self.inputs = {"data": {"fingerprint": digest.hexdigest()}}
        self.tokens_per_step = tokens * width
        count = sum(parameter.numel() for parameter in model.parameters())
        self.flops_per_token = model.config.flops_per_token() if isinstance(model, GPT) else 6.0 * count

    def default_steps(self, ranks: int) -> int:
        assert self.train.max_steps is not None
        return self.train.max_steps

    def build(self, device: str) -> tuple[Objective[Any], nn.Module]:
        return self._objective, self._model.to(device)

    def write_result(self, model: nn.Module) -> None:
        """Nothing: the result is the model in memory."""
