"""What a job need not say, and that everything it can say is explained."""

from __future__ import annotations

import dataclasses
import re
from pathlib import Path
from typing import Any

import pytest

from tuppence.tasks.job import Job, RunOptions
from tuppence.training.config import TrainConfig


@pytest.mark.parametrize("described", [RunOptions, Job])
def test_every_field_is_explained_and_nothing_else(described: Any) -> None:
    listed = re.findall(r"^        ([a-z_, ]+): ", described.__doc__, re.MULTILINE)
    assert ", ".join(listed).split(", ") == [field.name for field in dataclasses.fields(described)]


def test_without_options_a_run_has_no_limit_costs_nothing_and_goes_on_by_itself() -> None:
    options = RunOptions()
    assert (options.max_minutes, options.budget, options.rate.dollars_per_hour) == (None, None, 0.0)
    assert (options.resume, options.track, options.began) == ("auto", "none", None)


def test_a_job_that_says_the_least_measures_nothing_and_leaves_compiling_to_the_recipe() -> None:
    def never(*_: object) -> Any:
        raise AssertionError("a job only describes")

    job = Job("pretrain", Path("x"), TrainConfig(), {}, {}, 1, never, 1.0, never, never)
    assert (job.measure, job.closing, job.rows, job.facts, job.example, job.compile) == (None, 0.0, (), {}, "", True)
    with pytest.raises(dataclasses.FrozenInstanceError):
        job.verb = "other"  # type: ignore[misc]
