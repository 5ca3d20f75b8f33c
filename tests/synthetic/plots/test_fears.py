"""Fears: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_whoever_pulls_somebody_out_has_learned_to_swim_before(stories_of: Stories) -> None:
    for text in stories_of("afraid_of_water", "pulled somebody out"):
        assert text.index("a shout rang out") > re.search(r"holding me up|I am floating", text).start()


def test_nobody_swims_outdoors_in_winter(stories_of: Stories) -> None:
    assert not any(
        re.search(r"[Ww]inter had come|It was winter|a winter", text) for text in stories_of("afraid_of_water")
    )


def test_whoever_climbs_up_gets_there(stories_of: Stories) -> None:
    for text in stories_of("afraid_of_heights"):
        assert "it was beautiful" in text or "it was lovely" in text
