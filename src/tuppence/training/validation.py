"""Scores a model on the held-out batches, of which each rank computes a part, and generates samples."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import torch
from torch import nn

from tuppence.core.errors import Interrupted
from tuppence.model.precision import autocast
from tuppence.training.execution import Execution
from tuppence.training.objective import Objective, Sample, Sums, count_targets
from tuppence.training.signals import DeadlinePassed, StopSignals


@torch.no_grad()
def validate(
    objective: Objective[Any], model: nn.Module, execution: Execution, go_on: Callable[[], bool]
) -> dict[str, float] | None:
    """Returns loss and metrics per target; None if nothing is held out, or if the validation was stopped.

    Args:
        go_on: called before each batch; False on any rank stops the validation.
    """
    world, names = execution.world, objective.evaluation_metrics
    sums, targets, cut = Sums(objective.metrics if names is None else names, execution.device), 0, False
    model.eval()
    for index, batch in enumerate(objective.evaluation()):
        if not go_on():
            cut = True
            break
        if index % world.size == world.rank:
            with autocast(execution.device, execution.precision):
                sums.add(*objective.loss(model, *execution.to_device(batch)))
            targets += count_targets(batch)
    model.train()
    any_cut, all_targets, *totals = execution.world.sum([float(cut), float(targets), *sums.as_floats()])
    if any_cut or not all_targets:
        return None
    return {name: total / all_targets for name, total in zip(sums.names, totals, strict=True)}


def generate_samples(
    objective: Objective[Any], model: nn.Module, signals: StopSignals, *, on_signal: bool, seconds: float
) -> list[Sample]:
    """The objective's samples; empty if a signal or the clock ends them early.

    Args:
        on_signal, seconds: as in `StopSignals.abandoning`.

    Raises:
        Interrupted: a second signal demands to end at once.
    """
    model.eval()
    try:
        with signals.abandoning(on_signal=on_signal, seconds=seconds):
            return objective.samples(model)
    except DeadlinePassed:
        return []
    except Interrupted as interruption:
        if interruption.at_once:
            raise
        return []
    finally:
        model.train()
