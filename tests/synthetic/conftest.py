"""One corpus for all tests of the stories: 5,000 of seed 0, made once."""

from __future__ import annotations

import pytest

from tuppence.synthetic.stories import Story, tell


@pytest.fixture(scope="session")
def told() -> list[Story]:
    return [tell(seed=0, index=index) for index in range(5_000)]
