"""Line ends of text files: a line feed, also after a carriage return, or a carriage return alone (old Macintosh)."""

from __future__ import annotations

import re

_RETURNS = re.compile(r"\r\n?")
_RETURN_INSIDE = re.compile(r"\r[^\r]")


def line_end_of(beginning: bytes) -> bytes:
    """The byte that ends the lines of a file: a carriage return if its beginning has no line feed.

    Args:
        beginning: its first bytes; if they contain no line end at all, the answer is a line feed.

    Example:
        >>> line_end_of(b"one\\r\\ntwo"), line_end_of(b"one\\rtwo\\r"), line_end_of(b"one\\r")
        (b'\\n', b'\\r', b'\\n')
    """
    return b"\r" if b"\n" not in beginning and b"\r" in beginning.rstrip(b"\r") else b"\n"


def with_line_feeds(text: str) -> str:
    """A text in which every line ends with a line feed.

    Example:
        >>> with_line_feeds("one\\r\\ntwo\\rthree")
        'one\\ntwo\\nthree'
    """
    return _RETURNS.sub("\n", text)


def has_only_returns(text: str) -> bool:
    """Whether only carriage returns separate the lines of a text.

    Example:
        >>> has_only_returns("one\\rtwo\\r"), has_only_returns("one\\rtwo\\n"), has_only_returns("one\\r")
        (True, False, False)
    """
    return "\n" not in text and _RETURN_INSIDE.search(text) is not None
