from __future__ import annotations

from pathlib import Path

import pytest
from pydantic import BaseModel
from tests.conftest import ROOT

from tuppence.core.config import load_config
from tuppence.quickstart.plan import FULL, Plan
from tuppence.quickstart.recipes import DPO, INSTRUCT, PRETRAIN, SPAM
from tuppence.quickstart.stages import list_stages
from tuppence.tasks.pretrain import PretrainConfig


@pytest.mark.parametrize(
    ("recipe", "name"),
    [
        (PRETRAIN, "quickstart"),
        (SPAM, "quickstart-spam"),
        (INSTRUCT, "quickstart-instruct"),
        (DPO, "quickstart-dpo"),
    ],
    ids=lambda value: value if isinstance(value, str) else "",
)
def test_a_recipe_equals_the_one_that_the_printed_command_names(recipe: BaseModel, name: str) -> None:
    assert load_config(type(recipe), name) == recipe
    assert any(f"--config {name} " in stage.command for stage in list_stages(Plan(Path("x")), FULL))


@pytest.mark.parametrize(
    "recipe",
    [path for path in sorted((ROOT / "configs").glob("*.yaml")) if not path.stem.startswith("quickstart-")],
    ids=lambda path: path.stem,
)
def test_every_recipe_of_pretraining_is_valid(recipe: Path) -> None:
    load_config(PretrainConfig, recipe).model.resolve(512)
