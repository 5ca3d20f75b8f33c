from __future__ import annotations

import pytest

from tuppence.figures.costs import plot_dollars, plot_stage_seconds, plot_time_shares


def test_dollars_are_drawn_by_minutes_below_the_budget() -> None:
    spent, budget = plot_dollars([0, 180, 360], [0.0, 0.03, 0.07], budget=0.1).axes[0].get_lines()
    assert spent.get_xdata().tolist() == [0, 3, 6]
    assert spent.get_ydata().tolist() == [0.0, 0.03, 0.07]
    assert budget.get_ydata()[0] == 0.1


def test_two_hours_and_more_are_drawn_in_hours() -> None:
    axes = plot_dollars([0, 7200], [0.0, 2.0]).axes[0]
    assert axes.get_xlabel() == "hours"
    assert axes.get_lines()[0].get_xdata().tolist() == [0, 2]


@pytest.mark.parametrize("legend", [True, False])
def test_the_time_bar_has_the_shares_of_the_purposes(legend: bool) -> None:
    (axes,) = plot_time_shares({"training": 30.0, "evaluation": 10.0}, legend=legend).axes
    assert [patch.get_width() for patch in axes.patches] == [0.75, 0.25]
    assert (axes.get_legend() is not None) is legend


def test_the_bar_of_a_stage_is_as_long_as_its_seconds() -> None:
    (axes,) = plot_stage_seconds({"stories": 3.0, "pretrain": 114.0}).axes
    assert [bar.get_width() for bar in axes.patches] == [3.0, 114.0]
