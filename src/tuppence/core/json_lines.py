"""Logs of one JSON object per line: appended in single writes, read past torn lines, cut back to a known size."""

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

    A last line that a kill or a full disk tore is closed first, so that the new one can be read.
    """
    line = encode_json(finite_or_none(row)) + b"\n"
    with explain_disk_errors(path), path.open("a+b") as log:
        if log.seek(0, os.SEEK_END):
            log.seek(-1, os.SEEK_END)
            if log.read(1) != b"\n":
                line = b"\n" + line
        log.write(line)


def read_json_lines(path: Path) -> Iterator[dict[str, Any]]:
    """The whole JSON objects of a log; a torn last line, as a kill leaves it, is skipped."""
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
    """The JSON objects of a file that others may be writing, or have edited; none where there is no file.

    Args:
        problems: gets one line where lines are damaged. The last line may be torn: the run is writing it, or was
            killed.
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
    """The size of a log in bytes, after it was flushed to the disk; 0 where there is none."""
    if not log.exists():
        return 0
    size = log.stat().st_size
    fsync_file(log)
    return size


def lines_of_step(log: Path, size: int, step: int) -> list[tuple[bytes, dict[str, Any]]]:
    """The whole lines after the first `size` bytes of a log, up to the first of another step than `step`."""
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
