"""One corpus for all tests of the stories: 5,000 of them, told once."""

from __future__ import annotations

from collections.abc import Callable

import pytest

from tuppence.synthetic.stories import Story, tell


@pytest.fixture(scope="session")
def told() -> list[Story]:
    return [tell(seed=0, index=index) for index in range(5_000)]


@pytest.fixture(scope="session")
def stories_of(told: list[Story]) -> Callable[..., list[str]]:
    """The texts of one plot, of those that took all the turns named: `stories_of("raft", "sank")`."""

    def select(plot: str, *turns: str) -> list[str]:
        found = [each.text for each in told if each.plot == plot and set(turns) <= set(each.turns)]
        assert len(found) >= 5, f"{plot} {turns} is told only {len(found)} times in 5,000"
        return found

    return select
