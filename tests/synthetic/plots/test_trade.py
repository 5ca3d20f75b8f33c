"""Trade: what is set up is paid off."""

from __future__ import annotations

import re
from collections.abc import Callable

Stories = Callable[..., list[str]]


def test_the_chain_is_closed_in_reverse_order(stories_of: Stories) -> None:
    for text in stories_of("chain_of_trades"):
        assert text.index("honey") < text.index("string")


def test_whoever_sells_too_cheap_does_better_the_next_time(stories_of: Stories) -> None:
    for text in stories_of("market_day", "sold too cheap"):
        assert re.search(r"The next time", text)
