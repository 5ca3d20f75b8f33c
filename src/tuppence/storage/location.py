"""Locations: texts that name a file or a folder on this or another machine.

A location is a path, a path after `file://`, or a URL such as `s3://bucket/key`. It stays text until `staging` or
`local_path` converts it to a `Path`, because `Path` changes a URL to `s3:/bucket/key`.
"""

from __future__ import annotations

import os
import re
from pathlib import Path
from typing import NewType

from tuppence.core.errors import InputError

Location = NewType("Location", str)
"""A path or a URL, as the user wrote it. Runs record their inputs in this form."""

_SCHEME = re.compile(r"^([a-z][a-z0-9+.-]+)://")
_LOST_SLASH = re.compile(r"^(?:s3|gs|https?):/[^/]")


def scheme_of(place: str | Path) -> str:
    """Returns the scheme of a URL; an empty string for a local path.

    Example:
        >>> scheme_of("s3://bucket/run"), scheme_of("runs/tiny"), scheme_of("file:///data")
        ('s3', '', '')
    """
    found = _SCHEME.match(str(place))
    return "" if found is None or found[1] == "file" else found[1]


def is_remote(place: str | Path) -> bool:
    """Whether a location is on another machine."""
    return bool(scheme_of(place))


def local_path(place: str | Path) -> Path:
    """Converts a location on this machine to a path. A leading `~` becomes the user's home folder.

    Raises:
        InputError: the location is on another machine.

    Example:
        >>> local_path("file:///data/novels").as_posix(), local_path("runs/tiny").as_posix()
        ('/data/novels', 'runs/tiny')
    """
    if isinstance(place, Path):
        if _LOST_SLASH.match(place.as_posix()):
            raise InputError(f"{place} is a URL that has lost a slash", "give a URL as text, not as a Path")
    elif is_remote(place):
        raise InputError(f"{place} is not on this machine", "give a local path")
    # Path.expanduser() raises if `~name` is the name of a file and not of a user
    return Path(os.path.expanduser(str(place).removeprefix("file://")))  # noqa: PTH111


def output_path(place: str | Path) -> Path:
    """Converts the location of an output to a path.

    Raises:
        InputError: the location is on another machine.
    """
    scheme = scheme_of(place)
    if scheme:
        raise InputError(
            f"{place}: results cannot be written to {scheme}://",
            "write to a local path; in Python, tuppence.storage.remote_output gives one for s3://",
        )
    return local_path(place)


def join(place: str, *names: str) -> Location:
    """Appends names to the location of a folder.

    Example:
        >>> join("s3://bucket/run/", "model")
        's3://bucket/run/model'
    """
    if is_remote(place):
        return Location("/".join([place.rstrip("/"), *names]))
    return Location(str(Path(place, *names)))


def split_url(url: str) -> tuple[str, str]:
    """Splits a location into its folder, for `open_store`, and its last name.

    Example:
        >>> split_url("s3://bucket/texts/a.txt")
        ('s3://bucket/texts', 'a.txt')
        >>> split_url("a.txt")
        ('.', 'a.txt')
        >>> split_url("./~draft.txt")
        ('.', '~draft.txt')
        >>> split_url("s3://bucket")
        ('s3://bucket', '')
    """
    scheme = _SCHEME.match(url)
    root = scheme[0] if scheme else ""
    if root and root != "file://" and "/" not in url.removeprefix(root).rstrip("/"):
        return url.rstrip("/"), ""
    folder, name = os.path.split(url.removeprefix(root).rstrip("/"))  # not Path: it drops the "./" of "./~draft.txt"
    return root + (folder or "."), name
