"""`plan`: what a training run costs, asked in the words of the command line. `tuppence plan` and `tp.plan` call it.

No torch is imported here: a price needs no model. `tasks.measuring` measures this machine.
"""

from __future__ import annotations

import datetime
import re
from collections.abc import Mapping, Sequence
from dataclasses import replace
from pathlib import Path

from tuppence.core.errors import InputError, TuppenceError
from tuppence.core.run import Run
from tuppence.cost.answer import Plan
from tuppence.cost.hardware import INSTANCES, instances
from tuppence.cost.law import FINEWEB, Law, Point
from tuppence.cost.memory import ModelSize
from tuppence.cost.plan import TOKENS_OF_A_PARAMETER, Machine, Question, rows_of
from tuppence.cost.rates import REGION, price_of
from tuppence.model.config import PRESETS, ModelConfig
from tuppence.storage import stage_run

DEFAULT_MODEL = "gpt2-124m"
_NUMBER = re.compile(r"(\d+(?:\.\d*)?(?:e\d+)?)\s*([kmbt]?)", re.IGNORECASE)
_LETTERS = {"": 1.0, "k": 1e3, "m": 1e6, "b": 1e9, "t": 1e12}


def plan(
    model: str | ModelConfig | None = None,
    tokens: float | str | None = None,
    budget: float | None = None,
    on: Sequence[str] | None = None,
    *,
    here: Machine | None = None,
    law: Law = FINEWEB,
    region: str = REGION,
    save_mb_per_second: float | None = None,
    today: datetime.date | None = None,
) -> Plan:
    """Plans a training run: hours, dollars and expected loss on each instance.

    Args:
        model: a preset, or sizes. Without it: with a budget, the best preset for each instance; with tokens,
            the size for which they are nearest to 20 for each parameter; else gpt2-124m.
        tokens: to train on, as a number or as "2.5B". Without it: what the budget buys, else 20 for each parameter.
        budget: dollars on demand.
        on: instance types, `ml.…` for SageMaker and without it for EC2.
        here: this machine, measured (`tasks.measuring.this_machine`); it is the first row.
        law: of the expected loss.
        save_mb_per_second: of a checkpoint to S3, if it was measured; else 150 is assumed.
        today: from which the age of prices is counted.

    Raises:
        InputError: a preset, an instance or a number is unknown or makes no sense.

    Example:
        >>> plan(budget=100).best.machine.name
        'ml.p5.4xlarge'
    """
    if here is not None and here.price is None and budget is not None:
        raise InputError("a budget needs the price of an hour of this machine", "add --rate USD")
    trained = token_count(tokens)
    question = Question(_sizes(model, trained, budget), trained, budget, law)
    machines = [_saving_at(save_mb_per_second, machine_of(name, region)) for name in (on or INSTANCES)]
    rows = rows_of(question, [*([here] if here else []), *machines])
    return Plan(question, tuple(rows), today or datetime.date.today())


def _saving_at(mb_per_second: float | None, machine: Machine) -> Machine:
    """The machine with a measured speed of its saves.

    Raises:
        InputError: the speed is not above zero.
    """
    if mb_per_second is None:
        return machine
    if not 0 < mb_per_second < 1e6:
        raise InputError(
            f"the speed of a save must be above zero and below 1,000,000 MB/s, it is {mb_per_second:g}",
            "give for example 150",
        )
    return replace(machine, saved_bytes_a_second=mb_per_second * 1e6, saves_are="measured")


def machine_of(instance: str, region: str = REGION) -> Machine:
    """An instance type as a plan sees it.

    Raises:
        InputError: the type is unknown, or has no GPU.
    """
    price = price_of(instance, region=region)
    known = instances().get(instance.removeprefix("ml."))
    if known is None:
        raise InputError(f"{instance} has no GPU that we know", f"choose one of {', '.join(INSTANCES)}")
    gpu = known.accelerator
    return Machine(
        name=instance,
        device=gpu.name,
        devices=known.gpus,
        memory_gib=gpu.memory_gib,
        speed=gpu,
        price=price,
        refused=known.refused,
    )


def size_of(model: str | ModelConfig) -> ModelSize:
    """The sizes of a preset or of a config.

    Raises:
        InputError: there is no such preset.
    """
    if isinstance(model, str):
        if model not in PRESETS:
            raise InputError(f"unknown model {model!r}", f"the models are {', '.join(PRESETS)}")
        name, config = model, PRESETS[model]
    else:
        name, config = "this model", model
    return ModelSize(
        name=name,
        parameters=config.parameter_count(),
        flops_per_token=config.flops_per_token(),
        n_layers=config.n_layers,
        n_heads=config.n_heads,
        d_model=config.d_model,
        context_length=config.context_length,
        vocab_size=config.vocab_size,
    )


def own_runs(places: Sequence[str | Path]) -> list[Point]:
    """The points of a law: parameters, tokens and final validation loss of finished runs.

    Raises:
        InputError: a folder is no finished pretraining run with a validation loss.
    """
    return [_point(Run.of(stage_run(place))) for place in places]


def _point(run: Run) -> Point:
    try:
        content = run.read()
    except TuppenceError as error:
        raise InputError(
            f"{run.path} is no run: {error.message}", "give folders that tuppence pretrain has written"
        ) from error
    result = content.get("result")
    result = result if isinstance(result, Mapping) else {}
    numbers = [content.get("parameters"), result.get("tokens"), result.get("final_val_loss")]
    if (
        content.get("verb") != "pretrain"
        or content.get("status") != "done"
        or not all(isinstance(number, int | float) and not isinstance(number, bool) for number in numbers)
    ):
        raise InputError(
            f"{run.path} is no finished pretraining run with a validation loss at its end",
            "train it to its end, on data with a val split",
        )
    return Point(*(float(number) for number in numbers))  # type: ignore[arg-type]


def token_count(text: float | str | None) -> float | None:
    """A number of tokens: 2.5e9, "2.5B", "500M".

    Raises:
        InputError: it is no number above zero.

    Example:
        >>> token_count("2.5B"), token_count("1e9"), token_count(None)
        (2500000000.0, 1000000000.0, None)
    """
    if text is None or isinstance(text, int | float):
        return None if text is None else float(text)
    found = _NUMBER.fullmatch(text.replace(",", "").replace("_", "").strip())
    if found is None or not float(found[1]):
        raise InputError(f"{text!r} is no number of tokens", "give for example 2.5B, 500M or 1e9")
    return float(found[1]) * _LETTERS[found[2].lower()]


def _sizes(model: str | ModelConfig | None, tokens: float | None, budget: float | None) -> tuple[ModelSize, ...]:
    if model is not None:
        return (size_of(model),)
    every = tuple(size_of(name) for name in PRESETS)
    if budget is not None:
        return every
    if tokens is None:
        return (size_of(DEFAULT_MODEL),)
    wanted = tokens / TOKENS_OF_A_PARAMETER
    return (min(every, key=lambda size: max(size.parameters / wanted, wanted / size.parameters)),)
