"""Checks of an output's path before the work whose result goes there.

The command line calls `refuse_unwritable` for every output that does not exist yet; evaluations and reports call it
for every output. Training verbs and `data prepare` lock an existing folder first, which is a check too.
"""

from __future__ import annotations

from pathlib import Path

from tuppence.core.errors import InputError
from tuppence.core.files import end_of_link, explain_os_error, open_new, refuse_special_file
from tuppence.core.temporary import temporary_sibling


def refuse_unwritable(path: Path, *, file: bool) -> None:
    """Checks that an output can be written, by creating an empty file in the nearest folder that exists.

    Args:
        path: the output; it may not exist yet.
        file: whether it will be a file, not a folder.

    Raises:
        InputError: nothing can be created there, or `path` is a folder where a file is wanted, or the other way round.
        OutOfSpaceError: the disk is full.
    """
    try:
        _probe(path, file=file)
    except OSError as error:
        raise explain_os_error(error, path, writing=True) from error


def _probe(path: Path, *, file: bool) -> None:
    if file:
        refuse_special_file(path)
        if path.is_dir():
            raise InputError(f"cannot write {path}: it is a folder", "name a file to write")
        path = end_of_link(path)
    above = path.absolute().parents
    places = above if file or not path.exists() else (path.absolute(), *above)
    nearest = next(place for place in places if place.exists() or place.is_symlink())  # a link that leads nowhere fails
    with temporary_sibling(nearest / "probe") as probe:
        open_new(probe).close()
