"""Recipes are read strictly, and an error has a hint with the probable key."""

from __future__ import annotations

from collections.abc import Mapping
from pathlib import Path
from typing import ClassVar

import pytest
from pydantic import Field

from tuppence.core.config import Section, dump_yaml, load_config, nearest
from tuppence.core.errors import InputError


class Train(Section):
    short_names: ClassVar[Mapping[str, str]] = {"lr": "learning_rate"}
    former_names: ClassVar[Mapping[str, str]] = {"step_size": "learning_rate"}

    learning_rate: float = Field(1e-3, gt=0)
    seed: int = 1


class Recipe(Section):
    train: Train = Train()
    name: str = ""


def test_values_come_from_defaults_then_file_then_overrides(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train:\n  seed: 5\n  learning_rate: 2.0e-3\nname: x\n")
    recipe = load_config(Recipe, file, ["train.learning_rate=3e-4"])
    assert (recipe.train.seed, recipe.train.learning_rate, recipe.name) == (5, 3e-4, "x")


class Listed(Section):
    targets: tuple[str, ...] = ()


def test_one_value_instead_of_a_list_gives_a_hint_with_the_list() -> None:
    with pytest.raises(InputError, match="targets: a list is expected") as caught:
        load_config(Listed, overrides=["targets=a.b"])
    assert caught.value.hint == "write targets=[a.b]"
    assert load_config(Listed, overrides=[caught.value.hint.removeprefix("write ")]).targets == ("a.b",)


def test_an_empty_file_means_the_defaults(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("")
    assert load_config(Recipe, file) == Recipe()


@pytest.mark.parametrize("key", ["train.learning_rat", "train.learningrate", "learning_rate", "training.learning_rate"])
def test_an_unknown_key_is_refused_with_the_nearest_known_one(key: str) -> None:
    with pytest.raises(InputError, match="unknown key") as caught:
        load_config(Recipe, overrides=[f"{key}=1"])
    assert "train.learning_rate" in caught.value.hint


@pytest.mark.parametrize(
    ("key", "hint"),
    [("trian.qqq", "did you mean train?"), ("train.qqq", "known keys: train.learning_rate, train.seed")],
)
def test_the_hint_for_an_unknown_key_lists_the_keys_of_its_section(key: str, hint: str) -> None:
    with pytest.raises(InputError, match=f"unknown key {key}") as caught:
        load_config(Recipe, overrides=[f"{key}=1"])
    assert caught.value.hint == hint


def test_an_unknown_key_that_resembles_nothing_lists_the_known_ones() -> None:
    with pytest.raises(InputError) as caught:
        load_config(Recipe, overrides=["zzz=1"])
    assert "train.seed" in caught.value.hint


@pytest.mark.parametrize(
    ("override", "complaint"),
    [
        ("train.learning_rate=-1", "train.learning_rate"),
        ("train.seed=abc", "train.seed"),
        ("train.seed", "not KEY=VALUE"),
        ("=3", "not KEY=VALUE"),
        ("train=3", "train"),
        ("train.seed=[1", "not valid YAML"),
    ],
)
def test_an_invalid_value_is_named(override: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint):
        load_config(Recipe, overrides=[override])


@pytest.mark.parametrize(
    ("content", "complaint"),
    [
        (b"- 1\n- 2\n", "mapping"),
        (b"a: [1", "not valid YAML"),
        (b"train:\n  steps: 1\n  steps: 2\n", "'steps' is given twice"),
        (b"\xff\xfe\x00", "not valid YAML"),
    ],
)
def test_a_file_that_is_no_recipe_is_refused(tmp_path: Path, content: bytes, complaint: str) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_bytes(content)
    with pytest.raises(InputError, match=complaint):
        load_config(Recipe, file)


@pytest.mark.parametrize("value", ["2021-02-30", "0x_", "[" * 3000])
def test_a_value_that_yaml_cannot_make_is_refused_in_a_recipe_and_in_a_flag(tmp_path: Path, value: str) -> None:
    with pytest.raises(InputError, match="not valid YAML"):
        load_config(Recipe, overrides=[f"train.seed={value}"])
    file = tmp_path / "recipe.yaml"
    file.write_text(f"train:\n  seed: {value}\n")
    with pytest.raises(InputError, match="not valid YAML"):
        load_config(Recipe, file)


def test_a_short_name_is_accepted_for_its_key_and_the_last_value_counts(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train:\n  lr: 0.1\n")
    assert load_config(Recipe, file).train.learning_rate == 0.1
    for flags in (["train.learning_rate=0.5"], ["train.lr=0.2", "train.learning_rate=0.5"], ["train.lr=0.5"]):
        assert load_config(Recipe, file, flags).train.learning_rate == 0.5
    file.write_text("train:\n  lr: 0.1\n  learning_rate: 0.2\n")
    with pytest.raises(InputError, match=r"train\.lr is given twice"):
        load_config(Recipe, file)


def test_an_empty_section_has_the_defaults_and_can_be_set(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train:\nname: story\n")
    assert load_config(Recipe, file) == Recipe(name="story")
    assert load_config(Recipe, file, ["train.seed=5"]).train.seed == 5


def test_a_yaml_tag_that_would_build_an_object_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("name: !!python/object/apply:os.system ['true']\n")
    with pytest.raises(InputError, match="not valid YAML"):
        load_config(Recipe, file)


def test_a_missing_and_an_enormous_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="there is no file"):
        load_config(Recipe, tmp_path / "none.yaml")
    large = tmp_path / "large.yaml"
    large.write_bytes(b"#" * (2**20 + 1))
    with pytest.raises(InputError, match="larger"):
        load_config(Recipe, large)


def test_a_schema_cannot_be_changed_after_it_is_built() -> None:
    with pytest.raises(ValueError, match="frozen"):
        Recipe().name = "other"  # type: ignore[misc]


def test_dumped_yaml_reads_back_equal(tmp_path: Path) -> None:
    file = tmp_path / "out.yaml"
    file.write_text(dump_yaml({"train": {"seed": 3, "learning_rate": 1e-4}, "name": "é: #"}))
    assert load_config(Recipe, file).model_dump() == {"train": {"seed": 3, "learning_rate": 1e-4}, "name": "é: #"}


def test_nearest_finds_nothing_where_nothing_is_near() -> None:
    assert nearest("qqq", ["train.seed"]) is None


@pytest.mark.parametrize("in_file", [True, False])
def test_a_former_name_still_works_and_one_line_says_the_new_one(
    in_file: bool, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "recipe.yaml"
    file.write_text("train:\n  step_size: 0.5\n" if in_file else "")
    recipe = load_config(Recipe, file, [] if in_file else ["train.step_size=0.5"])
    assert recipe.train.learning_rate == 0.5
    assert capsys.readouterr().err == "train.step_size is now called learning_rate; the old name still works\n"


def test_a_section_of_an_earlier_version_gets_the_present_names() -> None:
    assert Train.from_earlier({"step_size": 0.5, "seed": 2}) == {"learning_rate": 0.5, "seed": 2}
