"""The quickstart goes through all its stages, continues where it was, and its recipe is the one in configs/."""

from __future__ import annotations

import json
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.conftest import ROOT
from tuppence.core.config import load_config
from tuppence.quickstart import RECIPE
from tuppence.tasks.pretrain import PretrainConfig


def test_the_recipe_equals_the_one_in_configs() -> None:
    assert load_config(PretrainConfig, ROOT / "configs" / "quickstart.yaml") == RECIPE


@pytest.mark.parametrize("recipe", sorted((ROOT / "configs").glob("*.yaml")), ids=lambda path: path.stem)
def test_every_recipe_is_valid(recipe: Path) -> None:
    load_config(PretrainConfig, recipe).model.resolve(512)


def test_the_whole_life_of_a_model_and_then_nothing_left_to_do(tuppence: Callable[..., object], tmp_path: Path) -> None:
    words = ("quickstart", "--out", tmp_path, "--stories", 400, "--max-steps", 4, "--json")
    first = tuppence(*words)
    assert first.returncode == 0, first.stderr  # type: ignore[attr-defined]
    results = json.loads(first.stdout)  # type: ignore[attr-defined]
    assert Path(results["report"]["report"]).is_file()
    assert results["pretrain"]["result"]["steps"] == 4
    assert results["evaluate"]["perplexity"] > 1
    started = time.monotonic()
    again = json.loads(tuppence(*words).stdout)  # type: ignore[attr-defined]
    assert again["pretrain"] == results["pretrain"]
    assert time.monotonic() - started < 60
