"""Which store answers to which scheme: the one place that maps a location to an implementation."""

from __future__ import annotations

from collections.abc import Callable

from tuppence.core.errors import InputError
from tuppence.storage.local import LocalStore
from tuppence.storage.location import scheme_of
from tuppence.storage.store import Store

SCHEMES: dict[str, Callable[[str], Store]] = {}
"""For each scheme ("s3"), what makes a store from a URL. Local folders need no entry."""


def open_store(url: str) -> Store:
    """The store at `url`: a local folder's path, `file://` and one, or a URL of a scheme in `SCHEMES`.

    Raises:
        InputError: the scheme is unknown.

    Example:
        >>> open_store("s3://bucket/texts")
        Traceback (most recent call last):
        tuppence.core.errors.InputError: s3://bucket/texts: this version of tuppence cannot read s3:// yet
    """
    require_known_scheme(url)
    scheme = scheme_of(url)
    return SCHEMES[scheme](url) if scheme else LocalStore(url.removeprefix("file://"))


def require_known_scheme(url: str) -> None:
    """Refuses a location that no store can read.

    Raises:
        InputError: the scheme is unknown.
    """
    scheme = scheme_of(url)
    if not scheme or scheme in SCHEMES:
        return
    if scheme == "s3":
        raise InputError(
            f"{url}: this version of tuppence cannot read s3:// yet", "copy it to this machine first: aws s3 cp"
        )
    hint = "copy the data to a local folder first"
    if scheme in ("http", "https"):
        hint = "download it first; 'tuppence data list' names the public sets we can get"
    raise InputError(f"{url}: cannot read from {scheme}://", hint)
