"""Appends, reads and measures logs with one JSON object per line. Reading skips incomplete lines."""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from pathlib import Path
from typing import Any

from tuppence.core.files import encode_json, explain_disk_errors, fsync_file
from tuppence.core.numbers import finite_or_none


def append_json(path: Path, row: dict[str, Any]) -> None:
    """Appends one JSON line in a single write; NaN and infinity become null.

    If the last line is incomplete after a kill or on a full disk, a newline is added first, so that the new line can be
    read.
    """
    line = encode_json(finite_or_none(row)) + b"\n"
    with explain_disk_errors(path), path.open("a+b") as log:
        if log.seek(0, os.SEEK_END):
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":
                line = b"\n" + line
        log.write(line)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """Yields the JSON objects of a log. Lines that are not valid JSON are skipped, such as an incomplete last line."""
    if not path.exists():
        return
    with path.open("rb") as log:
        for line in log:
            try:
                row = json.loads(line)
            except ValueError:
                continue
            if isinstance(row, dict):
                yield row


def read_json_lines_tolerantly(path: Path, problems: list[str]) -> list[dict[str, Any]]:
    """Reads the JSON objects of a file that another process may be writing, or that somebody edited.

    Args:
        problems: a message is appended if lines are damaged. An incomplete last line does not count: the run is still
            writing it, or was killed.

    Returns:
        The objects; an empty list if there is no file.
    """
    if not path.is_file():
        return []
    rows: list[dict[str, Any]] = []
    bad, last_is_bad = 0, False
    with path.open(encoding="utf-8", errors="replace") as lines:
        for line in lines:
            if not line.strip():
                continue
            try:
                row = json.loads(line)
            except (ValueError, RecursionError):
                row = None
            last_is_bad = not isinstance(row, dict)
            if isinstance(row, dict):
                rows.append(row)
            else:
                bad += 1
    if bad > last_is_bad:
        problems.append(f"{path.name}: {bad - last_is_bad:,} damaged lines were left out")
    return rows


def size_on_disk(log: Path) -> int:
    """Flushes a log to the disk and returns its size in bytes; 0 if it does not exist."""
    if not log.exists():
        return 0
    size = log.stat().st_size
    fsync_file(log)
    return size


def lines_of_step(log: Path, size: int, step: int) -> list[tuple[bytes, dict[str, Any]]]:
    """Returns the complete lines of `step` that directly follow the first `size` bytes of a log."""
    found: list[tuple[bytes, dict[str, Any]]] = []
    if not log.exists():
        return found
    with log.open("rb") as lines:
        lines.seek(size)
        for line in lines:
            try:
                row = json.loads(line) if line.endswith(b"\n") else None
            except ValueError:
                row = None
            if not isinstance(row, dict) or row.get("step") != step:
                break
            found.append((line, row))
    return found
