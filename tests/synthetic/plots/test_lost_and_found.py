"""Lost and found: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_what_does_not_float_is_fished_out_and_what_floats_is_followed(stories_of: Stories) -> None:
    for text in stories_of("lost_treasure", "sank"):
        assert "did not float" in text
    for text in stories_of("lost_treasure", "floated away"):
        assert "floats" in text


def test_whoever_kept_the_purse_confesses_in_the_end(stories_of: Stories) -> None:
    for text in stories_of("found_purse", "kept it a night"):
        assert re.search(r"I kept it|at my house", text)
