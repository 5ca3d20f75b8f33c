"""Device, precision and compilation of a run; what its start has decided is kept."""

from __future__ import annotations

from pathlib import Path
from typing import Any

import pytest
from tests.tasks.toy_job import ToyJob, toy_job
from tests.training.toy import Bigram

from tuppence.core.errors import InputError
from tuppence.cost.limits import Limits
from tuppence.tasks.choose_execution import check_all_trained, check_divisible, choose_execution, memory_hint
from tuppence.training.config import TrainConfig
from tuppence.training.distributed import World

STARTED: dict[str, Any] = {
    "machine": {"precision": "bf16", "compile": False, "ranks": 1},
    "environment": {"precision_reason": "chosen at the start"},
}


def test_a_new_run_takes_the_precision_of_its_recipe(tmp_path: Path) -> None:
    execution, precision, meter = choose_execution(toy_job(tmp_path), {}, World(), "cpu", Limits(max_steps=2))
    assert (execution.device, execution.precision, execution.compile) == ("cpu", "float32", False)
    assert precision.name == "float32"
    assert meter is not None


def test_a_continued_run_keeps_the_precision_of_its_start_and_its_reason(tmp_path: Path) -> None:
    job = toy_job(tmp_path, precision="float32", compile=True)
    execution, precision, _ = choose_execution(job, STARTED, World(), "cpu", Limits(max_steps=2))
    assert (precision.name, precision.reason) == ("bf16", "chosen at the start")
    assert (execution.precision, execution.compile) == ("bf16", False)


@pytest.mark.parametrize(
    ("settings", "message"),
    [
        ({"optimizer": "muon"}, "muon needs whole ones"),
        ({"batch_size": "auto", "accumulation_steps": 8}, "train.batch_size=auto measures the memory"),
    ],
)
def test_recipes_whose_model_cannot_be_divided_are_refused(
    tmp_path: Path, settings: dict[str, Any], message: str
) -> None:
    check_divisible(toy_job(tmp_path))
    with pytest.raises(InputError, match=message):
        check_divisible(toy_job(tmp_path, **settings))


def test_an_objective_that_generates_cannot_divide_its_model(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(ToyJob, "scales", False)
    with pytest.raises(InputError, match="is not for toy"):
        check_divisible(toy_job(tmp_path))


def test_a_model_with_frozen_weights_is_not_divided() -> None:
    model = Bigram()
    check_all_trained(model)
    model.head.requires_grad_(False)
    with pytest.raises(InputError, match="some are frozen"):
        check_all_trained(model)


@pytest.mark.parametrize("batch_size", [2, 3, 8, 9])
@pytest.mark.parametrize("steps", [1, 5])
def test_settings_of_the_memory_hint_fit_and_an_even_batch_keeps_its_gradients(batch_size: int, steps: int) -> None:
    train = TrainConfig(batch_size=batch_size, accumulation_steps=steps)
    hint = memory_hint(train)
    first = hint.removeprefix("the same command with ").split(", or ")[0].replace("--set ", "").split()
    found = {key.removeprefix("train."): int(value) for key, _, value in (word.partition("=") for word in first[:2])}
    smaller = TrainConfig(**found)
    assert smaller.batch_size < batch_size
    if batch_size % 2 == 0:
        assert "(the same gradients)" in hint
        assert smaller.batch_size * smaller.accumulation_steps == batch_size * steps
    assert "train.activation_checkpointing=true" in hint


def test_the_memory_hint_of_a_batch_of_one_names_what_is_left() -> None:
    one = TrainConfig(batch_size=1)
    assert memory_hint(one) == "the same command with --set train.activation_checkpointing=true"
    recomputing = TrainConfig(batch_size=1, activation_checkpointing=True)
    assert memory_hint(recomputing) == "use a smaller model or a shorter context"
