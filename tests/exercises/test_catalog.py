"""The list without torch is the list of the exercises."""

from __future__ import annotations

import pytest

from tuppence.core.errors import InputError
from tuppence.exercises import EXERCISES
from tuppence.exercises.catalog import CATALOG, by_what


def test_the_list_has_all_exercises_in_their_order() -> None:
    assert tuple(one.entry for one in EXERCISES) == CATALOG


@pytest.mark.parametrize("what", [3, "3", " 3 "])
def test_a_number_is_a_chapter(what: str | int) -> None:
    assert [one.name for one in by_what(CATALOG, what)] == ["causal_mask", "attention", "multi_head"]


def test_a_key_chooses_between_two_exercises_of_one_name() -> None:
    assert [one.chapter for one in by_what(EXERCISES, "merge")] == [2, 7]
    assert [one.chapter for one in by_what(EXERCISES, "7/merge")] == [7]


@pytest.mark.parametrize(
    ("what", "hint"), [("layernorm", "did you mean layer_norm"), ("xyz", "`tuppence check` lists")]
)
def test_an_unknown_name_is_answered_with_the_nearest(what: str, hint: str) -> None:
    with pytest.raises(InputError) as error:
        by_what(CATALOG, what)
    assert error.value.hint.startswith(hint)
