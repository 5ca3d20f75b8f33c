"""Mysteries: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_noise_has_a_cause(stories_of: Stories) -> None:
    for turn, sign in {
        "shutter": "loose",
        "owl": "swifts|owl",
        "hedgehog": "hedgehog|prickles|stuck on its nose",
    }.items():
        assert all(re.search(sign, text) for text in stories_of("noise_at_night", turn))


def test_no_glow_worms_shine_in_winter(stories_of: Stories) -> None:
    assert not any(re.search(r"[Ww]inter", text) for text in stories_of("light_in_the_wood", "glow-worms"))
