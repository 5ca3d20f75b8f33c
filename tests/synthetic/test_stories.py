"""The embedded stories are the same in every process, all different, and drawn from every plot."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tuppence.core.errors import InputError
from tuppence.synthetic import iter_stories, story
from tuppence.synthetic.plots import all_plots
from tuppence.synthetic.stories import Story, tell

COUNT = 5_000


@pytest.fixture(scope="module")
def texts(told: list[Story]) -> list[str]:
    return [each.text for each in told]


def test_a_story_is_the_same_alone_and_in_a_corpus(texts: list[str]) -> None:
    assert list(iter_stories(50, seed=0)) == texts[:50]
    assert story(0, 37) == texts[37]


def test_the_hash_seed_of_python_changes_no_story(texts: list[str]) -> None:
    program = "from tuppence.synthetic import iter_stories; print('\\n'.join(iter_stories(60, seed=0)), end='')"
    outputs = [
        subprocess.run(
            [sys.executable, "-c", program],
            capture_output=True,
            text=True,
            check=True,
            env={**os.environ, "PYTHONHASHSEED": hash_seed},
        ).stdout
        for hash_seed in ("1", "2")
    ]
    assert outputs[0] == outputs[1] == "\n".join(texts[:60])


def test_the_order_of_imports_changes_no_story(texts: list[str]) -> None:
    program = (
        "import tuppence.synthetic.plots.wonders, tuppence.synthetic.plots.fears\n"
        "from tuppence.synthetic import iter_stories\n"
        "print('\\n'.join(iter_stories(60, seed=0)), end='')"
    )
    told = subprocess.run([sys.executable, "-c", program], capture_output=True, text=True, check=True).stdout
    assert told == "\n".join(texts[:60])


def test_every_story_of_one_seed_is_different(texts: list[str]) -> None:
    assert len(set(texts)) == COUNT


def test_two_seeds_have_no_story_in_common(texts: list[str]) -> None:
    assert set(texts).isdisjoint(iter_stories(1_000, seed=1))


def test_all_46_plots_are_told_with_every_turn_they_declare(told: list[Story]) -> None:
    taken: dict[str, set[str]] = {}
    for each in told:
        taken.setdefault(each.plot, set()).update(each.turns)
    assert taken == {plot.name: set(plot.turns) for plot in all_plots()}
    assert len(taken) == 46


@pytest.mark.parametrize(("seed", "index"), [(-1, 0), (0, -1)])
def test_a_negative_seed_or_index_is_refused(seed: int, index: int) -> None:
    with pytest.raises(InputError):
        story(seed, index)


def test_a_negative_count_is_refused_before_the_first_story() -> None:
    with pytest.raises(InputError, match="-3 stories"):
        iter_stories(-3, seed=0)


def test_a_number_of_plots_limits_stories_to_that_many_evenly_spread() -> None:
    every = [plot.name for plot in all_plots()]
    told = {tell(3, index, plots=4).plot for index in range(200)}
    assert len(told) == 4
    places = sorted(every.index(name) for name in told)
    assert places == [number * len(every) // 4 for number in range(4)]
    assert tell(3, 5, plots=len(every)) == tell(3, 5)


@pytest.mark.parametrize("plots", [0, 1_000])
def test_an_impossible_number_of_plots_is_refused_before_the_first_story(plots: int) -> None:
    with pytest.raises(InputError, match=f"there are no {plots} plots"):
        iter_stories(3, 0, plots)
