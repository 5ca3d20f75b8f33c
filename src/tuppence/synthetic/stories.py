"""The embedded default corpus: short stories made up on the spot, the same ones for everybody.

`story(seed, index)` is a pure function of its two arguments, so any slice of a corpus can be made anew anywhere and
nothing has to be downloaded. How a story comes about: a plot is drawn (`plots`), a `Teller` sets up a small world and a
cast (`world`, `people`), and the plot is told through it, in templates (`grammar`) whose words are in `tables/`.
It is for learning to model language on something pleasant and small; it says nothing true about the world.
Called by `tuppence data synth stories` and by the quickstart.
"""

from __future__ import annotations

from collections.abc import Iterator
from dataclasses import dataclass
from functools import cache
from random import Random

from tuppence.core.errors import InputError
from tuppence.synthetic.plots import Plot, all_plots
from tuppence.synthetic.teller import Teller


@dataclass(frozen=True)
class Story:
    """A story, and how it came about."""

    text: str
    plot: str
    turns: tuple[str, ...]


def story(seed: int, index: int, plots: int | None = None) -> str:
    """The text of one story: paragraphs of English in ASCII, separated by empty lines.

    Args:
        plots: how many plots to draw from; all of them where it is None. Fewer are learned sooner.

    Raises:
        InputError: a negative seed or index, or a number of plots that there is not.

    >>> story(1, 7) == story(1, 7), story(1, 7) == story(2, 7)
    (True, False)
    """
    return tell(seed, index, plots).text


def iter_stories(count: int, seed: int, plots: int | None = None) -> Iterator[str]:
    """The first `count` stories of a seed, from so many plots.

    Raises:
        InputError: a negative count or seed, or a number of plots that there is not.
    """
    if count < 0:
        raise InputError(f"cannot make {count} stories", "give a count of 0 or more")
    _plots(plots)  # refused before anything is made
    return (story(seed, index, plots) for index in range(count))


def tell(seed: int, index: int, plots: int | None = None) -> Story:
    """One story together with its plot and the turns that it took."""
    if seed < 0 or index < 0:
        raise InputError(f"story {index} of seed {seed} does not exist", "seeds and indices start at 0")
    drawn_from = _plots(plots)
    # A string, because Random hashes it. Whole numbers can meet: Random(257) equals Random(257 + (256 << 32)).
    random = Random(f"{seed}/{index}")
    drawn = drawn_from[int(random.random() * len(drawn_from))]
    animals = drawn.cast == "animals" or (drawn.cast == "any" and random.random() < 0.3)
    teller = Teller(random, animals, drawn.season, drawn.weather)
    drawn.tell(teller)
    return Story(teller.text(), drawn.name, tuple(teller.branches))


@cache
def _plots(count: int | None = None) -> tuple[Plot, ...]:
    """So many plots, spread evenly over all of them: neighbours are of one kind."""
    every = all_plots()
    if count is None:
        return every
    if not 1 <= count <= len(every):
        raise InputError(f"there are no {count} plots", f"give 1 to {len(every)}")
    return tuple(every[number * len(every) // count] for number in range(count))
