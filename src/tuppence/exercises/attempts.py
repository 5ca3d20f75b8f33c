"""What a person has tried and solved: `exercises.json` in the user's cache folder.

A failed try counts once for each version of a function. A file that is missing, damaged or read-only is no error: the
counts then start again.
"""

from __future__ import annotations

import contextlib
from pathlib import Path
from typing import Any

from tuppence.core.cache import cache_folder
from tuppence.core.errors import TuppenceError
from tuppence.core.files import read_json, write_json

FILE = "exercises.json"


def solved() -> set[str]:
    """The keys of the exercises that were solved at least once."""
    return {key for key, entry in _read().items() if entry.get("solved") is True}


def record(key: str, digest: str, *, passed: bool) -> int:
    """Records a try.

    Args:
        key: of the exercise.
        digest: of the function's code; a failed try with the code of the last one is not counted again.

    Returns:
        The number of failed tries since the exercise was solved last; 0 if this one solves it.
    """
    entries = _read()
    entry = entries.get(key, {})
    failed = entry.get("failed")
    failed = failed if isinstance(failed, int) and failed > 0 else 0
    if passed:
        failed = 0
    elif not digest or entry.get("digest") != digest:
        failed += 1
    entries[key] = {"solved": passed or entry.get("solved") is True, "failed": failed, "digest": digest}
    path = _path()
    if path is not None:
        with contextlib.suppress(OSError, TuppenceError):
            write_json(path, entries)
    return failed


def _path() -> Path | None:
    folder = cache_folder()
    return None if folder is None else folder / FILE


def _read() -> dict[str, dict[str, Any]]:
    path = _path()
    if path is None:
        return {}
    try:
        entries = read_json(path)
    except (TuppenceError, OSError):
        return {}
    if not isinstance(entries, dict):
        return {}
    return {key: entry for key, entry in entries.items() if isinstance(entry, dict)}
