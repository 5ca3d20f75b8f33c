"""The plots: each a chain of causes and consequences, written as a function that talks to a `Teller`.

A plot says what happens and why; tempers, weather, materials and chance decide which way it turns, and every turn it
can take is declared, so that a test can see all of them happen. Plots of one kind share a file.
"""

from __future__ import annotations

from collections.abc import Callable
from dataclasses import dataclass
from importlib import import_module
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    from tuppence.synthetic.teller import Teller

_FILES = (
    "lost_and_found",
    "broken_and_mended",
    "fears",
    "courage",
    "friends",
    "pride",
    "promises",
    "messages",
    "making",
    "learning",
    "gifts",
    "weather",
    "searches",
    "creatures",
    "neighbours",
    "trade",
    "journeys",
    "mysteries",
    "detectives",
    "fables",
    "wonders",
)


@dataclass(frozen=True)
class Plot:
    """One family of stories.

    Attributes:
        name: what it is about.
        tell: tells one.
        turns: every branch it can take.
        cast: "people", "animals" or "any".
        season, weather: what it needs; empty where it does not matter.
    """

    name: str
    tell: Callable[[Teller], None]
    turns: tuple[str, ...]
    cast: str
    season: str
    weather: str


_REGISTERED: dict[str, list[Plot]] = {name: [] for name in _FILES}


def plot(
    *turns: str, cast: str = "any", season: str = "", weather: str = ""
) -> Callable[[Callable[[Teller], None]], Callable[[Teller], None]]:
    """Registers a function as a plot under its own name."""

    def register(tell: Callable[[Teller], None]) -> Callable[[Teller], None]:
        file = tell.__module__.rpartition(".")[2]
        _REGISTERED[file].append(Plot(tell.__name__, tell, turns, cast, season, weather))
        return tell

    return register


def all_plots() -> tuple[Plot, ...]:
    """Every plot, in the order of the files above, whichever of them somebody imported first."""
    for name in _FILES:
        import_module(f"{__name__}.{name}")
    return tuple(plot for name in _FILES for plot in _REGISTERED[name])
