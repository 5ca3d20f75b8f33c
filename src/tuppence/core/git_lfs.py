"""Recognises Git LFS pointers: a clone without git-lfs has this small text file instead of each large file.

Called by all readers of files that a repository can hold: text, JSON, weights and tokenizers.
"""

from __future__ import annotations

from pathlib import Path

from tuppence.core.errors import InputError

BEGINNING = b"version https://git-lfs.github.com/spec/"
"""First bytes of a pointer."""


def pointer_error(path: Path | str) -> InputError:
    """Returns the error for a file that begins with `BEGINNING`."""
    return InputError(
        f"{path} is a Git LFS pointer, not the file itself",
        "get the file: git lfs install, then git lfs pull in its repository; or download it again",
    )


def refuse_pointer(path: Path) -> None:
    """Checks the first bytes of a file.

    Raises:
        InputError: the file is a Git LFS pointer.
        OSError: the file cannot be opened.
    """
    with path.open("rb") as stream:
        if stream.read(len(BEGINNING)) == BEGINNING:
            raise pointer_error(path)
