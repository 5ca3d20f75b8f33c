"""Messages: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_parcels_are_mixed_up_for_a_reason_that_the_weather_allows(stories_of: Stories) -> None:
    for text in stories_of("wrong_parcels"):
        assert re.search(r"washed the names off|ink ran|labels|one label|stopped on the way|put them down", text), text


def test_a_letter_that_was_sent_is_read_by_somebody(stories_of: Stories) -> None:
    for text in stories_of("bottle_post", "answered"):
        assert text.index("Please write back") < text.index("I found your bottle")
