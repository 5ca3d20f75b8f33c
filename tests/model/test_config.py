from __future__ import annotations

import subprocess
import sys

import pytest
from pydantic import ValidationError

from tuppence.model.config import PRESETS, ModelConfig

SIZES = {"n_layers": 2, "n_heads": 2, "d_model": 16, "context_length": 8, "vocab_size": 11}


@pytest.mark.parametrize(
    ("preset", "count"),
    [
        ("gpt2-124m", 124_439_808),
        ("gpt2-355m", 354_823_168),
        ("gpt2-774m", 774_030_080),
        ("gpt2-1558m", 1_557_611_200),
    ],
)
def test_presets_have_the_published_parameter_counts(preset: str, count: int) -> None:
    assert PRESETS[preset].parameter_count() == count


@pytest.mark.parametrize("preset", sorted(PRESETS))
def test_the_count_is_that_of_the_modules(preset: str) -> None:
    import torch

    from tuppence.model.gpt import GPT

    with torch.device("meta"):
        model = GPT(PRESETS[preset])
    assert sum(parameter.numel() for parameter in model.parameters()) == PRESETS[preset].parameter_count()


def test_flops_are_six_for_each_parameter_and_twelve_for_attention() -> None:
    config = PRESETS["gpt2-124m"]
    assert config.flops_per_token() == 6 * 124_439_808 + 12 * 12 * 768 * 1024


@pytest.mark.parametrize(
    ("change", "message"),
    [
        ({"n_heads": 3}, "d_model 16 is not a multiple of n_heads 3"),
        ({"n_layers": 0}, "n_layers"),
        ({"d_model": 10**9}, "d_model"),
        ({"vocab_size": 10**12}, "vocab_size"),
        ({"dropout": 1.0}, "dropout"),
        ({"layer_norm_epsilon": 0.0}, "layer_norm_epsilon"),
        ({"layer_norm_epsilon": float("nan")}, "layer_norm_epsilon"),
        ({"n_layer": 2}, "n_layer"),
    ],
)
def test_impossible_sizes_are_refused_by_name(change: dict[str, float], message: str) -> None:
    with pytest.raises(ValidationError, match=message):
        ModelConfig.model_validate({**SIZES, **change})


def test_a_config_cannot_be_changed() -> None:
    with pytest.raises(ValidationError, match="frozen"):
        ModelConfig(**SIZES).d_model = 32  # type: ignore[misc]


def test_sizes_are_known_without_torch() -> None:
    code = "import sys, tuppence.model.config; print('torch' in sys.modules)"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "False"
