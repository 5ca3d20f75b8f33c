"""A recipe is found by its name or its path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.core.recipes import FOLDER, find_recipe, recipe_names


def test_every_recipe_of_the_package_is_found_by_its_name() -> None:
    assert {"gpt2-124m", "gpt2-355m", "quickstart", "tiny"} <= set(recipe_names())
    for name in recipe_names():
        assert find_recipe(name) == FOLDER / f"{name}.yaml"


def test_a_file_comes_before_a_recipe_of_the_same_name(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    assert find_recipe("tiny") == FOLDER / "tiny.yaml"
    (tmp_path / "tiny").write_text("{}")
    assert find_recipe("tiny") == Path("tiny")
    assert find_recipe(tmp_path / "tiny") == tmp_path / "tiny"


@pytest.mark.parametrize(
    ("recipe", "hint"),
    [
        ("gpt2-124", "did you mean --config gpt2-124m?"),
        ("configs/tinny.yaml", "did you mean --config tiny?"),
        ("../configs/../tiny", "did you mean --config tiny?"),
        ("mine.yaml", "name a file, or a recipe: gpt2-124m, "),
        ("", "name a file, or a recipe: "),
    ],
)
def test_a_recipe_that_does_not_exist_is_refused_with_the_nearest(
    recipe: str, hint: str, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    with pytest.raises(InputError) as refused:
        find_recipe(recipe)
    assert refused.value.hint.startswith(hint)
