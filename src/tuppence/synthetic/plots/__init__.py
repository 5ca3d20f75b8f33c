"""The plots: chains of causes and consequences, written as functions that call a `Teller`.

Tempers, weather, materials and chance decide which turns a plot takes. Every turn is declared, so that a test can check
that all of them happen. Similar plots share a file.
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
        name: of the function.
        tell: the function.
        turns: all branches that it can take.
        cast: "people", "animals" or "any".
        season, weather: required by the plot; empty for any.
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
    """Returns all plots in the order of `_FILES`, which does not depend on the order of imports."""
    for name in _FILES:
        import_module(f"{__name__}.{name}")
    return tuple(plot for name in _FILES for plot in _REGISTERED[name])
