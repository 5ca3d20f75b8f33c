"""Maps the scheme of a location to the store that reads it."""

from __future__ import annotations

from collections.abc import Callable

from tuppence.core.errors import InputError
from tuppence.storage.local import LocalStore
from tuppence.storage.location import scheme_of
from tuppence.storage.s3 import S3Store
from tuppence.storage.store import Store

SCHEMES: dict[str, Callable[[str], Store]] = {"s3": S3Store}
"""Scheme → function that returns the store for a URL. Local folders need no entry."""


def open_store(url: str) -> Store:
    """Opens the store at `url`, which is a local folder, with or without `file://`, or a URL of a scheme in `SCHEMES`.

    Raises:
        InputError: the scheme is unknown.

    Example:
        >>> open_store("gs://bucket/texts")
        Traceback (most recent call last):
        tuppence.core.errors.InputError: gs://bucket/texts: cannot read from gs://
    """
    require_known_scheme(url)
    scheme = scheme_of(url)
    return SCHEMES[scheme](url) if scheme else LocalStore(url.removeprefix("file://"))


def require_known_scheme(url: str) -> None:
    """Checks that a store exists for a location.

    Raises:
        InputError: the scheme is unknown.
    """
    scheme = scheme_of(url)
    if not scheme or scheme in SCHEMES:
        return
    hint = "copy the data to a local folder first"
    if scheme in ("http", "https"):
        hint = "download it first; 'tuppence data list' names the public sets we can get"
    raise InputError(f"{url}: cannot read from {scheme}://", hint)
