from __future__ import annotations

import doctest

from tuppence.figures import format
from tuppence.figures.format import printable


def test_the_examples_in_the_docstrings_hold() -> None:
    result = doctest.testmod(format)
    assert result.attempted > 0
    assert result.failed == 0


def test_printable_text_is_valid_in_utf8_and_xml() -> None:
    everything = "".join(map(chr, range(0x110000)))
    shown = printable(everything)
    assert len(shown) == len(everything)
    shown.encode()
    assert not {chr(code) for code in [*range(9), 11, 12, *range(14, 32), *range(127, 160)]} & set(shown)
    for kept in "\t\n\r é\u202e🎁":
        assert kept in shown
