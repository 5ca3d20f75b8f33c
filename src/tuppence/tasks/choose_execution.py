"""Decides device, precision, compilation and `batches_at_once`. A continued run keeps the decisions of its start."""

from __future__ import annotations

import dataclasses
from collections.abc import Mapping
from typing import Any

from torch import nn

from tuppence.core.environment import Precision, choose_precision
from tuppence.core.errors import InputError
from tuppence.core.run import Run
from tuppence.cost.limits import Limits
from tuppence.tasks.job import Job
from tuppence.training.batch_size import batches_at_once
from tuppence.training.checkpoint import list_checkpoints
from tuppence.training.compilation import worth_compiling
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import World
from tuppence.training.execution import Execution
from tuppence.training.objective import Objective
from tuppence.training.throughput import Meter, device_peak


def choose_execution(
    job: Job[Any], run_file: Mapping[str, Any], world: World, device: str, limits: Limits
) -> tuple[Execution, Precision, Meter]:
    """Decides device, precision (with the reason) and compilation; also makes the meter of speed.

    Measures the peak of the device. This draws random numbers, so that it must come before seeding.

    Args:
        run_file: content of run.yaml if a run is continued, else {}.

    Raises:
        InputError: the ranks cannot divide the model of this job.
    """
    config, before = job.train, run_file.get("machine") or {}
    if world.size > 1 and config.parallel == "fsdp":
        world.on_main(lambda: check_divisible(job))
    precision = _choose_precision(job, device, before.get("precision"))
    if before:  # keep the recorded reason
        precision = Precision(precision.name, str(run_file["environment"].get("precision_reason", precision.reason)))
    peak = device_peak(device, precision.name)
    compiles = before.get("compile")
    if compiles is None:
        wanted = config.compile if job.compiles or config.compile != "auto" else False
        compiles = worth_compiling(wanted, limits, job.flops_per_token * job.tokens_per_step, peak, device)
        compiles = bool(world.broadcast_from_rank0(float(compiles)))
    meter = Meter(job.flops_per_token, peak, world.size)
    return Execution(device, precision.name, bool(compiles), world, parallel=config.parallel), precision, meter


def check_divisible(job: Job[Any]) -> None:
    """Checks that the ranks can divide the model of a job (`train.parallel: fsdp`).

    Raises:
        InputError: the objective or the optimizer does not allow it.
    """
    config = job.train
    ddp = "leave train.parallel at ddp: every rank then has the whole model"
    if not job.scales:
        raise InputError(f"train.parallel=fsdp is not for {job.verb}, which also generates or compares models", ddp)
    if config.optimizer == "muon":
        raise InputError(
            "train.parallel=fsdp divides matrices by rows, and train.optimizer=muon needs whole ones",
            "use train.optimizer=adamw, or train.parallel=ddp",
        )
    if config.batches_at_once == "auto":
        raise InputError(
            "train.batch_size=auto measures the memory of a model that is not divided",
            "give train.batch_size a number, or use train.parallel=ddp",
        )


def check_all_trained(model: nn.Module) -> None:
    """Checks that no weights are frozen, because a checkpoint must have the whole model (`train.parallel: fsdp`).

    Raises:
        InputError: some are.
    """
    if not all(parameter.requires_grad for parameter in model.parameters()):
        raise InputError(
            "train.parallel=fsdp trains all weights, and here some are frozen",
            "leave train.parallel at ddp: every rank then has the whole model",
        )


def _choose_precision(job: Job[Any], device: str, before: str | None) -> Precision:
    """The precision of the start of the run, else that of the recipe.

    Raises:
        InputError: the device cannot train in it.
    """
    try:
        return choose_precision(device, before or job.train.precision)
    except InputError as error:
        saved = list_checkpoints(Run(job.out).checkpoints) if before else []
        if not saved:
            raise
        raise InputError(
            f"{job.out} was started in {before}: {error.message}",
            f"continue in a new run: the same command with --resume {saved[-1]}, another --out and "
            "--set train.precision=auto",
        ) from error


def with_batches_at_once(
    execution: Execution, objective: Objective[Any], model: nn.Module, job: Job[Any], run_file: Mapping[str, Any]
) -> Execution:
    """Returns the execution with its number of batches that are computed at once."""
    count = (run_file.get("machine") or {}).get("batches_at_once")
    if count is None:
        count = batches_at_once(objective, model, execution, job.train) if job.compiles else 1
        count = int(execution.world.broadcast_from_rank0(float(count)))
    return dataclasses.replace(execution, batches_at_once=int(count))


def memory_hint(train: TrainConfig) -> str:
    """The hint if a step does not fit into memory: settings to lower, with which the run can continue."""
    ways = []
    if train.batch_size > 1:
        size, steps = train.batch_size // 2, train.accumulation_steps * 2
        if train.batch_size % 2 == 0:
            ways.append(f"--set train.batch_size={size} --set train.accumulation_steps={steps} (the same gradients)")
        else:
            ways.append(f"--set train.batch_size=1 --set train.accumulation_steps={train.batch_size * steps // 2}")
    if not train.activation_checkpointing:
        ways.append("--set train.activation_checkpointing=true")
    return "the same command with " + ", or ".join(ways) if ways else "use a smaller model or a shorter context"
