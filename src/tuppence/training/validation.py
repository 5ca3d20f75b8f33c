"""Scores a model on the held-out batches, of which each rank computes a part, and generates samples."""

from __future__ import annotations

import itertools
from collections.abc import Callable, Iterator
from typing import Any

import torch
from torch import nn

from tuppence.core.errors import Interrupted
from tuppence.model.precision import autocast
from tuppence.training.objective import Batch, Objective, Sample, Sums, count_targets
from tuppence.training.signals import DeadlinePassed, StopSignals
from tuppence.training.step import Step


@torch.no_grad()
def validate(step: Step, go_on: Callable[[], bool]) -> dict[str, float] | None:
    """Returns loss and metrics per target; None if nothing is held out, or if the validation was stopped.

    Ranks that divide the model compute in lockstep. A rank without a batch in the last round computes another's again.

    Args:
        go_on: called before each batch; False on any rank stops the validation.
    """
    objective, execution, world = step.objective, step.execution, step.execution.world
    names = objective.evaluation_metrics
    sums, targets, cut = Sums(objective.metrics if names is None else names, execution.device), 0, False
    step.model.eval()
    for batches in _rounds(objective.evaluation(), world.size):
        cut = not go_on()
        if execution.sharded:
            cut = bool(world.largest(float(cut)))
        if cut:
            break
        mine = world.rank < len(batches)
        if mine or execution.sharded:
            batch = batches[world.rank if mine else 0]
            with autocast(execution.device, execution.precision):
                loss, metrics = step.loss.held_out(execution.to_device(batch))
        if mine:
            sums.add(loss, metrics)
            targets += count_targets(batch)
    if step.loss.shards is not None:
        step.loss.shards.free()
    step.model.train()
    any_cut, all_targets, *totals = world.sum([float(cut), float(targets), *sums.as_floats()])
    if any_cut or not all_targets:
        return None
    return {name: total / all_targets for name, total in zip(sums.names, totals, strict=True)}


def _rounds(batches: Iterator[Batch], size: int) -> Iterator[list[Batch]]:
    """Groups of `size` batches, one for each rank; the last group can be smaller."""
    while group := list(itertools.islice(batches, size)):
        yield group


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
