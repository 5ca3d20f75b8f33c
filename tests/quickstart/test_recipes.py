from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.config import load_config
from tuppence.core.recipes import recipe_names
from tuppence.quickstart.plan import FULL, Plan
from tuppence.quickstart.recipes import PRETRAIN
from tuppence.quickstart.stages import list_stages
from tuppence.tasks.pretrain import PretrainRecipe

STAGES = {
    "pretrain": "quickstart",
    "spam": "quickstart-spam",
    "instruct": "quickstart-instruct",
    "dpo": "quickstart-dpo",
}


def test_every_printed_training_command_names_its_recipe() -> None:
    commands = {stage.name: stage.command for stage in list_stages(Plan(Path("x")), FULL)}
    assert set(STAGES.values()) <= set(recipe_names())
    for stage, recipe in STAGES.items():
        assert f"--config {recipe} " in commands[stage]


def test_a_file_in_the_working_directory_does_not_replace_a_recipe(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    assert load_config(PretrainRecipe, "quickstart") == PRETRAIN
    monkeypatch.chdir(tmp_path)
    Path("quickstart").mkdir()
    assert load_config(PretrainRecipe, "quickstart") == PRETRAIN, "a folder is no file"


@pytest.mark.parametrize("recipe", [name for name in recipe_names() if not name.startswith("quickstart-")])
def test_every_recipe_of_pretraining_is_valid(recipe: str) -> None:
    load_config(PretrainRecipe, recipe).model.resolve(512)
