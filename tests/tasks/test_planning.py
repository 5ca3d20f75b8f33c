"""The question of `tuppence plan`: presets, tokens and instances by name."""

from __future__ import annotations

import subprocess
import sys

import pytest

from tuppence.core.errors import InputError
from tuppence.model.config import PRESETS
from tuppence.tasks.planning import INSTANCES, plan, size_of, token_count


def test_nothing_asked_is_gpt2_124m_with_20_tokens_a_parameter() -> None:
    answer = plan()
    assert [row.machine.name for row in answer.rows] == list(INSTANCES)
    assert {(row.size.name, row.tokens) for row in answer.rows} == {("gpt2-124m", 20 * 124_439_808)}


@pytest.mark.parametrize(
    ("tokens", "model"),
    [("2.5B", "gpt2-124m"), ("7B", "gpt2-355m"), (30e6, "nano"), ("270M", "tiny"), ("40B", "gpt2-1558m")],
)
def test_tokens_alone_choose_the_size_that_they_suit(tokens: float | str, model: str) -> None:
    assert plan(tokens=tokens, on=["ml.p5.48xlarge"]).rows[0].size.name == model


def test_sizes_can_be_a_config() -> None:
    config = PRESETS["tiny"].model_copy(update={"vocab_size": 50257})
    size = size_of(config)
    assert (size.name, size.parameters) == ("this model", 30_044_544)
    assert plan(config, 1e9, on=["ml.g5.xlarge"]).rows[0].size == size


def test_ec2_and_sagemaker_are_told_apart() -> None:
    sagemaker, ec2 = plan("gpt2-124m", on=["ml.g5.xlarge", "g5.xlarge"]).rows
    assert (sagemaker.machine.usd_per_hour, ec2.machine.usd_per_hour) == (1.408, 1.006)
    assert sagemaker.hours == ec2.hours


@pytest.mark.parametrize("text", ["", "lots", "-1B", "0", "1e", "2.5X", "1 2"])
def test_a_number_of_tokens_that_is_none_is_refused(text: str) -> None:
    with pytest.raises(InputError, match="no number of tokens"):
        token_count(text)


def test_numbers_of_tokens() -> None:
    assert [token_count(text) for text in ("2.5B", "500m", "1e9", "10_000", "3,000", 7)] == [
        2.5e9,
        5e8,
        1e9,
        1e4,
        3e3,
        7.0,
    ]


@pytest.mark.parametrize(("asked", "what"), [({"model": "gpt3"}, "unknown model"), ({"on": ["ml.m5.large"]}, "no GPU")])
def test_an_unknown_name_is_refused(asked: dict[str, object], what: str) -> None:
    with pytest.raises(InputError, match=what):
        plan(**asked)  # type: ignore[arg-type]


def test_a_plan_needs_no_torch() -> None:
    code = "import sys; from tuppence.tasks.planning import plan; plan(budget=100); assert 'torch' not in sys.modules"
    subprocess.run([sys.executable, "-c", code], check=True)
