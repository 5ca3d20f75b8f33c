"""Measures this machine for `tuppence plan --measure`.

`this_machine` trains a few real steps through `session.train`, on random tokens: the same loop, precision, compilation,
evaluation and checkpoints as `tuppence pretrain`. So every line of a plan for this machine is measured, also the time
to start Python and torch.
"""

from __future__ import annotations

import datetime
import subprocess
import sys
import tempfile
import time
from collections.abc import Callable, Iterator
from functools import lru_cache
from pathlib import Path
from typing import Any

import torch
from torch import Tensor

from tuppence.core.console import counted, listening
from tuppence.core.environment import GIB, choose_device, choose_precision, memory_bytes
from tuppence.core.errors import InputError
from tuppence.cost.estimate import BYTES_OF_A_CHECKPOINT
from tuppence.cost.hardware import Speed
from tuppence.cost.law import FINEWEB
from tuppence.cost.ledger import Rate
from tuppence.cost.limits import Limits
from tuppence.cost.memory import most_sequences
from tuppence.cost.plan import TOKENS_OF_A_PARAMETER, Machine
from tuppence.cost.rates import Price
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.model.gpt import GPT
from tuppence.tasks.job import Job
from tuppence.tasks.planning import DEFAULT_MODEL, size_of, token_count
from tuppence.tasks.pretrain import PretrainRecipe
from tuppence.tasks.recipe import load_recipe
from tuppence.tasks.run_options import RunOptions
from tuppence.tasks.session import train
from tuppence.training.compilation import worth_compiling
from tuppence.training.config import TrainConfig
from tuppence.training.objective import Batch, Objective, Sample
from tuppence.training.throughput import device_peak

NAME = "this machine"
SMALL_MODEL = "tiny"
FEWEST_STEPS, MOST_STEPS = 4, 100
TOKENS_ON_A_CPU = 4096
"""Of a measured step; more do not make a CPU faster."""
MOST_EVAL_TOKENS = 16_384
SECONDS_BETWEEN_NOTES = 10.0
Say = Callable[[str], object]
"""Prints a line for a person who waits."""


def _silent(_: str) -> None:
    """Prints nothing."""


def measure_for(model: str | None, tokens: str | None, rate: Rate, *, say: Say = _silent) -> tuple[str, Machine]:
    """Measures what `tuppence plan --measure` asks for; returns the name of the model and this machine.

    Args:
        model: a preset; by default one that suits the device.
        tokens: of the planned run; by default 20 for each parameter.
        rate: the price of an hour of this machine.
        say: is told what is measured, every few seconds.
    """
    model = model or (SMALL_MODEL if choose_device() == "cpu" else DEFAULT_MODEL)
    size, usd = size_of(model), rate.rate_usd_per_hour
    price = Price(NAME, "rate", NAME, usd, "hour", "", rate.source, datetime.date.today()) if usd else None
    wanted = token_count(tokens) or TOKENS_OF_A_PARAMETER * size.parameters
    return model, this_machine(PRESETS[model], wanted, price=price, say=say)


def this_machine(
    config: ModelConfig,
    tokens: float,
    *,
    recipe: str | None = None,
    seconds: float = 20.0,
    price: Price | None = None,
    say: Say = _silent,
) -> Machine:
    """Trains a few steps of a model here, and returns this machine as a plan sees it.

    Args:
        tokens: of the planned run, which decides whether it would be compiled.
        recipe: its settings; by default gpt2-124m for GPT-2's sizes and tiny for small models.
        seconds: the time of the measured steps. A slow machine needs longer: at least four steps are made.
        price: of an hour of this machine; None if it costs nothing by the hour.
        say: is told what is measured, every few seconds.

    Raises:
        InputError: the recipe or the device cannot be used, or a step does not fit into memory.
    """
    settings = _settings(config, recipe)
    device = choose_device(settings.device)
    say("measuring this machine: two steps, to see how long one takes")
    first = _train(config, settings, steps=2, compiles=False, say=say)
    step_tokens = settings.batch_size * config.context_length
    eager = max(first["train_seconds"] / (first["steps"] - 1), 1e-3)
    flops = config.flops_per_token()
    precision = choose_precision(device, settings.precision).name
    run = Limits(max_steps=max(1, int(tokens / step_tokens)))  # decides as the run itself will
    compiles = worth_compiling(settings.compile, run, flops * step_tokens, device_peak(device, precision), device)
    steps = int(min(max(seconds / eager, FEWEST_STEPS), MOST_STEPS))
    compiled = ", after a compilation that may take a minute" if compiles else ""
    say(f"measuring {counted(steps + 1, 'step')} of about {eager:.2g} s{compiled}, one evaluation and one checkpoint")
    result = _train(config, settings, steps=steps + 1, compiles=compiles, say=say)
    speed = result["tokens_per_second"]
    how = f"{counted(steps, 'step')} of {settings.batch_size} × {config.context_length:,} tokens in {precision}"
    evaluated = result["evaluation_seconds"] / _eval_tokens(config, settings)
    return Machine(
        name=NAME,
        device="CPU" if device == "cpu" else _gpu_name(device),
        devices=1,
        memory_gib=_memory_gib(device),
        speed=Speed(speed * flops, "measured", f"{how}{', compiled' if compiles else ''}"),
        price=price,
        lead_seconds=import_seconds(),
        compile_seconds=result["startup_seconds"],
        saved_bytes_a_second=BYTES_OF_A_CHECKPOINT * config.parameter_count() / result["seconds_of_a_save"],
        saves_are="measured",
        forward_share=evaluated * speed,
        on_aws=False,
        is_cpu=device == "cpu",
        sixteen_bits=precision != "float32",
    )


@lru_cache(maxsize=1)
def import_seconds() -> float:
    """Returns the seconds in which a new process starts Python and imports torch and what `tuppence pretrain` needs."""
    started = time.monotonic()
    imports = "import tuppence.tasks.pretrain, tuppence.tasks.session"
    subprocess.run([sys.executable, "-c", imports], check=True, capture_output=True)
    return time.monotonic() - started


def _settings(config: ModelConfig, recipe: str | None) -> TrainConfig:
    """The recipe's settings, with batches that one device computes at once."""
    name = recipe or ("gpt2-124m" if config.parameter_count() >= FINEWEB.least_parameters else "tiny")
    settings = load_recipe(PretrainRecipe, name).train
    device = choose_device(settings.device)
    fits = most_sequences(size_of(config), _memory_gib(device), is_cpu=device == "cpu")
    if not fits:
        raise InputError("one sequence of this model does not fit into memory here", "plan a smaller model")
    most = max(1, TOKENS_ON_A_CPU // config.context_length) if device == "cpu" else settings.batch_size
    return settings.model_copy(update={"batch_size": min(settings.batch_size, fits, most), "accumulation_steps": 1})


def _eval_tokens(config: ModelConfig, settings: TrainConfig) -> int:
    windows = max(1, min(settings.eval_tokens, MOST_EVAL_TOKENS) // config.context_length)
    return windows * config.context_length


def _train(config: ModelConfig, settings: TrainConfig, *, steps: int, compiles: bool, say: Say) -> dict[str, Any]:
    """The result of a run of so many steps, with an evaluation and a save at its end."""
    given = {"max_steps": steps, "compile": compiles, "eval_every": 0, "checkpoint_minutes": 0.0, "sample_tokens": 0}
    # the rates are low: random tokens teach nothing, and a loss that is not finite would end the run
    changed = {**given, "learning_rate": 1e-5, "muon_learning_rate": None, "log_every": 10_000}
    if settings.optimizer == "muon":
        changed["muon_learning_rate"] = 1e-5
    with tempfile.TemporaryDirectory(prefix="tuppence-plan-") as folder, listening():
        job = _MeasureJob(config, settings.model_copy(update=changed), Path(folder) / "run", _Waiting(steps, say))
        summary = train(job, RunOptions())
    result: dict[str, Any] = dict(summary["result"])
    result["seconds_of_a_save"] = max(result["checkpoint_seconds"], 1e-3)
    return result


class _Waiting:
    """Tells a person every few seconds which step a measurement has reached."""

    def __init__(self, steps: int, say: Say) -> None:
        self._steps, self._say, self._told = steps, say, time.monotonic()

    def begins(self, step: int) -> None:
        """Says that a step begins, if nothing was said for `SECONDS_BETWEEN_NOTES`."""
        if time.monotonic() - self._told >= SECONDS_BETWEEN_NOTES:
            self._told = time.monotonic()
            self._say(f"  step {step + 1} of {self._steps}")

    def evaluates(self) -> None:
        """Says that the evaluation begins, if nothing was said for `SECONDS_BETWEEN_NOTES`."""
        if time.monotonic() - self._told >= SECONDS_BETWEEN_NOTES:
            self._told = time.monotonic()
            self._say("  one evaluation and one checkpoint")


class _RandomTokens(Objective[GPT]):
    """Next-token prediction on tokens without any order."""

    def __init__(self, config: ModelConfig, settings: TrainConfig, waiting: _Waiting) -> None:
        self._waiting = waiting
        self._shape = settings.batch_size, config.context_length + 1
        self._vocab_size, self._rows = config.vocab_size, _eval_tokens(config, settings) // config.context_length

    def _batch(self, seed: int, rows: int) -> Batch:
        random = torch.Generator().manual_seed(seed)
        tokens_BT = torch.randint(0, self._vocab_size, (rows, self._shape[1]), generator=random)
        return tokens_BT[:, :-1].contiguous(), tokens_BT[:, 1:].contiguous()

    def batches(self, step: int, rank: int, world_size: int) -> list[Batch]:
        self._waiting.begins(step)
        return [self._batch(step * world_size + rank, self._shape[0])]

    def loss(self, model: GPT, *batch: Tensor) -> tuple[Tensor, dict[str, Tensor]]:
        tokens_BT, targets_BT = batch
        return model.loss(tokens_BT, targets_BT), {}

    def evaluation(self) -> Iterator[Batch]:
        self._waiting.evaluates()
        size = min(self._shape[0], self._rows)
        for first in range(0, self._rows, size):
            yield self._batch(first, min(size, self._rows - first))

    def samples(self, model: GPT) -> list[Sample]:
        return []


class _MeasureJob(Job[GPT]):
    """Trains a new model on random tokens."""

    verb = "measure"

    def __init__(self, config: ModelConfig, settings: TrainConfig, out: Path, waiting: _Waiting) -> None:
        self.out, self.train, self._config, self._waiting = out, settings, config, waiting
        self.settings = {"model": config}
        self.inputs = {"data": {"fingerprint": "random tokens"}}
        self.tokens_per_step = settings.batch_size * config.context_length
        self.flops_per_token = config.flops_per_token()

    def default_steps(self, ranks: int) -> int:
        assert self.train.max_steps is not None
        return self.train.max_steps

    def build(self, device: str) -> tuple[Objective[GPT], GPT]:
        return _RandomTokens(self._config, self.train, self._waiting), GPT(self._config).to(device)

    def write_result(self, model: GPT) -> None:
        """Nothing: nobody wants this model."""


def _memory_gib(device: str) -> float:
    if device.startswith("cuda"):
        return float(torch.cuda.get_device_properties(device).total_memory) / GIB
    return (memory_bytes() or 8 * GIB) / GIB


def _gpu_name(device: str) -> str:
    return str(torch.cuda.get_device_name(device)) if device.startswith("cuda") else device
