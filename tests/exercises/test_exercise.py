"""What is wrong with a result is said with its place and direction, and without the right value."""

from __future__ import annotations

from typing import Any

import pytest
import torch

from tuppence.exercises.exercise import Draw, UnfitError, a_list, a_number, a_tensor, differs, first_tensor, not_finite


def one_wrong(number: float) -> torch.Tensor:
    value = torch.zeros(2, 3)
    value[1, 0] = number
    return value


@pytest.mark.parametrize(
    ("value", "wanted", "problem"),
    [
        (torch.zeros(2, 3), torch.zeros(2, 3) + 1e-6, None),
        (one_wrong(0.5), torch.zeros(2, 3), "1 of 6 numbers is wrong: 0.5 at [1, 0] is too large"),
        (one_wrong(-2), one_wrong(7), "1 of 6 numbers is wrong: -2 at [1, 0] is too small"),
        (torch.zeros(2), torch.ones(2), "all numbers are wrong: 0 at [0] is too small"),
        (torch.zeros(1), torch.ones(1), "the number is wrong: 0 at [0] is too small"),
        (torch.tensor([0.0, 0, 1]), torch.ones(3), "2 of 3 numbers are wrong: 0 at [0] is too small"),
        (2.5, 2.0, "2.5 is too large"),
        (torch.tensor([1.0, torch.nan]), torch.ones(2), "the result has NaN"),
        (torch.tensor([torch.inf]), torch.ones(1), "the result has infinity"),
        ([1, 2], [1, 2], None),
        ([1, 5], [1, 2], "the first wrong item is number 1, counted from 0: 5"),
        ([1], [1, 2], "with 1 item the list is too short"),
        ([1, 2, 3], [1, 2], "with 3 items the list is too long"),
    ],
)
def test_a_difference_names_place_and_direction(value: Any, wanted: Any, problem: str | None) -> None:
    assert differs(value, wanted) == problem


def test_another_shape_is_unfit() -> None:
    with pytest.raises(UnfitError, match=r"has the shape \(2,\); \(3,\) is needed"):
        differs(torch.zeros(2), torch.zeros(3))


def test_what_fits() -> None:
    assert a_number(torch.tensor([[2.5]])) == 2.5
    assert a_number(True) == 1.0
    assert a_list((torch.tensor(3), 4)) == [3, 4]
    assert a_list(torch.tensor([1, 2])) == [1, 2]
    pair = torch.zeros(2), torch.ones(2)
    assert first_tensor(pair) is pair[0]
    for fit in (a_number, a_list, a_tensor, first_tensor):
        with pytest.raises(UnfitError, match=r"is None \(is there a return statement\?\)"):
            fit(None)


def test_the_same_seed_draws_the_same_inputs() -> None:
    def drawn(seed: str) -> list[Any]:
        draw = Draw(seed)
        return [draw.integers(5, 0, 99), draw.normal(4).tolist(), draw.number(0, 1), draw.shuffled("abcd")]

    assert drawn("1") == drawn("1") != drawn("2")
    assert not_finite(Draw("1").normal(3, 3)) is None
