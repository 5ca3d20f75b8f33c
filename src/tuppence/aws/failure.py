"""The one line that a failed job leaves as its FailureReason, from the last lines of its output."""

from __future__ import annotations

import re
from collections.abc import Sequence
from pathlib import Path

from tuppence.core.console import one_line
from tuppence.storage import redacted

MOST_CHARACTERS = 1000
"""AWS shows 1,024."""
_ERROR = re.compile(r"error: (.+)")
_HINT = re.compile(r"\s+hint: (.+)")
_EXCEPTION = re.compile(r"(?:\[rank\d+\]:\s?)?((?:\w+\.)*\w*(?:Error|Exception|Interrupt)\b.*)")
_OF_TORCHRUN = "ChildFailedError"
_KILLED = {
    137: "was killed (SIGKILL); the memory of the machine may be too small",
    134: "aborted (SIGABRT)",
    139: "crashed (SIGSEGV)",
}


def failure_line(lines: Sequence[str], code: int) -> str:
    """Says in one line why a process failed: without control characters and without secrets.

    Args:
        lines: its last lines of output, the oldest first.
        code: its exit code.

    Example:
        >>> failure_line(["step 10", "error: no GPU", "  hint: use another instance"], 2)
        'no GPU (use another instance)'
    """
    text = _reason(lines) or f"the process ended with exit code {code}"
    if code in _KILLED:
        text = f"the process {_KILLED[code]}. Its last line: {lines[-1].strip() if lines else 'none'}"
    return one_line(redacted(text))[:MOST_CHARACTERS]


def write_failure(path: Path, line: str) -> None:
    """Writes the line; a full disk must not hide the exit code."""
    try:
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_text(line, encoding="utf-8", errors="backslashreplace")
    except OSError:
        return


def _reason(lines: Sequence[str]) -> str:
    for index in range(len(lines) - 1, -1, -1):
        if found := _ERROR.match(lines[index]):
            hint = _HINT.match(lines[index + 1]) if index + 1 < len(lines) else None
            return f"{found[1]} ({hint[1]})" if hint else found[1]
    for line in reversed(lines):
        if _OF_TORCHRUN not in line and (found := _EXCEPTION.match(line)):
            return found[1]
    return next((line.strip() for line in reversed(lines) if line.strip()), "")
