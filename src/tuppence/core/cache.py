"""The user's cache folder: its files can be deleted, and programs make them again."""

from __future__ import annotations

import os
from pathlib import Path


def cache_folder() -> Path | None:
    """`$XDG_CACHE_HOME/tuppence`, or `~/.cache/tuppence`; None for a user without a home folder."""
    try:
        return Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache") / "tuppence"
    except RuntimeError:  # HOME is unset, and the system does not know the user: docker run -u 12345
        return None
