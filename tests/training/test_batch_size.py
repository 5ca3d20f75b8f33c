"""A step in other batches is the same step. What fits on a GPU: see `make gpu-check`."""

from __future__ import annotations

from pathlib import Path

import pytest
import torch
from pydantic import ValidationError

from tests.training.toy import Toy, toy_loop, weights
from tuppence.training.batch_size import batches_at_once, fitting, join
from tuppence.training.config import TrainConfig
from tuppence.training.execution import Execution


def test_auto_takes_the_sequences_of_a_step_from_accumulation_steps() -> None:
    config = TrainConfig(batch_size="auto", accumulation_steps=512)  # type: ignore[arg-type]
    assert (config.batch_size, config.accumulation_steps, config.batches_at_once) == (8, 64, "auto")
    config = TrainConfig(batch_size="auto", accumulation_steps=6)  # type: ignore[arg-type]
    assert (config.batch_size, config.accumulation_steps) == (2, 3)
    assert TrainConfig(**config.model_dump()) == config
    with pytest.raises(ValidationError, match="sequences of a step"):
        TrainConfig(batch_size="auto")  # type: ignore[arg-type]


def test_the_number_of_joined_batches_divides_that_of_a_step() -> None:
    assert fitting(one=10, two=16, room=60, steps=64) == 8
    assert fitting(one=10, two=16, room=1000, steps=12) == 12
    assert fitting(one=10, two=16, room=5, steps=64) == 1  # then the run has an error of exhausted memory
    assert fitting(one=10, two=10, room=100, steps=4) == 4


def test_only_batches_of_one_shape_are_joined() -> None:
    short, long = (torch.zeros(1, 2), torch.zeros(1)), (torch.zeros(1, 3), torch.zeros(1))
    assert [batch[0].shape for batch in join([short, short, short, long], 2)] == [(2, 2), (1, 2), (1, 3)]


@pytest.mark.parametrize("at_once", [2, 3, 8])
def test_joined_batches_give_the_same_step(tmp_path: Path, at_once: int) -> None:
    ends = []
    for count in (1, at_once):
        execution = Execution("cpu", "float32", compile=False, batches_at_once=count)
        loop = toy_loop(tmp_path / str(count), Toy(accumulation=8), execution=execution)
        loop.model.dropout.p = 0.0  # type: ignore[union-attr,assignment]
        loop.run()
        ends.append(weights(loop))
    assert torch.allclose(*ends, atol=1e-5)


def test_on_a_cpu_batches_stay_small() -> None:
    config = TrainConfig(batch_size="auto", accumulation_steps=64)  # type: ignore[arg-type]
    execution = Execution("cpu", "float32", compile=False)
    assert batches_at_once(Toy(), torch.nn.Linear(1, 1), execution, config) == 1
