"""Friends: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_a_quarrel_ends_with_an_apology_from_both(stories_of: Stories) -> None:
    for text in stories_of("quarrel"):
        assert re.search(r"I'm sorry|I would rather have you", text)


def test_the_surprise_comes_after_the_suspicion(stories_of: Stories) -> None:
    for text in stories_of("the_secret", "guessed wrong"):
        assert (
            re.search(r"don't like me|own fault", text).start()
            < re.search(r"birthday|with \w+ name on it", text).start()
        )
