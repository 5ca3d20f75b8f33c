"""The git commit that this package runs from, for run.yaml."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_commit() -> str | None:
    """The commit of the checkout that we run from, with "+changes" where it was edited; None outside one."""
    here = Path(__file__).resolve().parent
    try:
        ours = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, timeout=10
        )
        if ours.returncode != 0:  # installed inside some other project's checkout
            return None
        describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
        found = subprocess.run(describe, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
