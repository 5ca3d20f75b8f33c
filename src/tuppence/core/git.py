"""Finds the git commit of this package, for run.yaml."""

from __future__ import annotations

import subprocess
from pathlib import Path


def git_commit() -> str | None:
    """Returns the commit of the checkout of this package, with "+changes" if it was edited; None outside a checkout."""
    here = Path(__file__).resolve().parent
    try:
        ours = subprocess.run(
            ["git", "ls-files", "--error-unmatch", Path(__file__).name], cwd=here, capture_output=True, timeout=10
        )
        if ours.returncode != 0:  # installed inside the checkout of another project
            return None
        describe = ["git", "describe", "--always", "--abbrev=40", "--dirty=+changes", "--exclude=*"]
        found = subprocess.run(describe, cwd=here, capture_output=True, text=True, timeout=10)
    except (OSError, subprocess.TimeoutExpired):
        return None
    return found.stdout.strip() or None
