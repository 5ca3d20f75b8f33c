"""Weather: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_laughed_at_the_warning_asks_for_the_next(stories_of: Stories) -> None:
    for text in stories_of("storm", "laughed at"):
        assert "tell me what the sky says" in text


def test_nobody_is_snowed_in_but_in_winter(stories_of: Stories) -> None:
    assert not any(
        re.search(r"(?:[Ss]ummer|[Ss]pring|[Aa]utumn) had come|It was (?:a )?(?:summer|spring)", text)
        for text in stories_of("snowed_in")
    )


def test_a_drought_ends_with_water(stories_of: Stories) -> None:
    for text in stories_of("drought"):
        assert re.search(r"clear as glass|was wet|it rained", text)
