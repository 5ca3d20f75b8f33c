from __future__ import annotations

import pytest

from tuppence.data.weights import WEIGHT_NAMES, unused_weight


@pytest.mark.parametrize("name", WEIGHT_NAMES)
@pytest.mark.parametrize("value", [1, 1.0, True, None, "0", [0], {}])
def test_a_row_of_usual_weight_or_of_another_meaning_is_not_named(name: str, value: object) -> None:
    assert unused_weight(name, value) is None


def test_every_name_can_say_that_a_row_is_not_trained() -> None:
    assert [unused_weight(name, False) for name in WEIGHT_NAMES] == [
        "weight 0",
        "train false",
        "training false",
        "loss false",
    ]


def test_the_number_0_is_a_training_flag_but_a_plain_loss() -> None:
    assert [unused_weight(name, 0) for name in WEIGHT_NAMES] == ["weight 0", "train false", "training false", None]


def test_another_weight_and_other_columns() -> None:
    assert unused_weight("weight", -2.5) == "weight other than 0 and 1"
    assert unused_weight("score", 0) is None
