"""A recipe is loaded by name, from a file or from a URL."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory_store import Memory

from tuppence.core.config import CONFIG_LIMIT_BYTES
from tuppence.core.errors import InputError
from tuppence.core.recipes import FOLDER
from tuppence.tasks.pretrain import PretrainRecipe
from tuppence.tasks.recipe import load_recipe


def test_a_recipe_has_the_same_values_under_its_name_as_a_file_and_behind_a_url(memory: Memory) -> None:
    file = FOLDER / "tiny.yaml"
    memory.put(file, "mem://bucket/own.yaml")
    places: list[str | Path] = ["tiny", file, str(file), f"file://{file}", "mem://bucket/own.yaml"]
    recipes = [load_recipe(PretrainRecipe, place, ["train.seed=7"]) for place in places]
    assert recipes == [recipes[0]] * len(places)
    assert recipes[0].train.seed == 7
    assert recipes[0] != load_recipe(PretrainRecipe, overrides=["train.seed=7"])


def test_a_url_that_is_absent_or_no_recipe_is_refused(memory: Memory) -> None:
    with pytest.raises(InputError, match="mem://bucket/none does not exist"):
        load_recipe(PretrainRecipe, "mem://bucket/none")
    memory.objects["mem://bucket/shard.bin"] = bytes(CONFIG_LIMIT_BYTES + 1)
    with pytest.raises(InputError, match="more than the 1,048,576 we read"):
        load_recipe(PretrainRecipe, "mem://bucket/shard.bin")
