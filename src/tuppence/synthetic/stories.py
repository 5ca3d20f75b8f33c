"""The embedded default corpus: generated short stories, the same on every machine.

`story(seed, index)` is a pure function of its arguments, so any slice of a corpus can be generated anywhere. A plot is
drawn (`plots`), a `Teller` sets up a world and characters (`world`, `people`), and the plot is told in templates
(`grammar`) whose words are in `tables/`. The stories are small and varied text to learn language modelling on; they
hold no facts about the world.
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
    """A story, its plot, and the turns that the plot took."""

    text: str
    plot: str
    turns: tuple[str, ...]


def story(seed: int, index: int, plots: int | None = None) -> str:
    """Returns the text of one story: paragraphs of English in ASCII, separated by empty lines.

    Args:
        plots: the number of plots to draw from; None for all. Stories of fewer plots are learned sooner.

    Raises:
        InputError: seed or index is negative, or there are not that many plots.

    >>> story(1, 7) == story(1, 7), story(1, 7) == story(2, 7)
    (True, False)
    """
    return tell(seed, index, plots).text


def iter_stories(count: int, seed: int, plots: int | None = None) -> Iterator[str]:
    """Yields the first `count` stories of a seed, from `plots` plots (None for all).

    Raises:
        InputError: count or seed is negative, or there are not that many plots.
    """
    if count < 0:
        raise InputError(f"cannot make {count} stories", "give a count of 0 or more")
    _plots(plots)  # raises before the first story is asked for
    return (story(seed, index, plots) for index in range(count))


def tell(seed: int, index: int, plots: int | None = None) -> Story:
    """Returns one story with its plot and its turns."""
    if seed < 0 or index < 0:
        raise InputError(f"story {index} of seed {seed} does not exist", "seeds and indices start at 0")
    drawn_from = _plots(plots)
    # A string, because Random hashes it. Integers can collide: Random(257) equals Random(257 + (256 << 32)).
    random = Random(f"{seed}/{index}")
    drawn = drawn_from[int(random.random() * len(drawn_from))]
    animals = drawn.cast == "animals" or (drawn.cast == "any" and random.random() < 0.3)
    teller = Teller(random, animals, drawn.season, drawn.weather)
    drawn.tell(teller)
    return Story(teller.text(), drawn.name, tuple(teller.branches))


@cache
def _plots(count: int | None = None) -> tuple[Plot, ...]:
    """Returns `count` plots, spread evenly over all plots, because neighbours are similar."""
    every = all_plots()
    if count is None:
        return every
    if not 1 <= count <= len(every):
        raise InputError(f"there are no {count} plots", f"give 1 to {len(every)}")
    return tuple(every[number * len(every) // count] for number in range(count))
