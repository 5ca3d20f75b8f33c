"""A log with the result of each row, from which a killed evaluation continues.

The first line of RUN/evaluation/TASK.jsonl is the key: what was evaluated (fingerprints of model and data, settings).
Each further line is the result of one row. The same evaluation reads its results from the log; another evaluation
starts a new log.
"""

from __future__ import annotations

import json
from collections.abc import Mapping
from pathlib import Path
from typing import Any

from tuppence.core import files
from tuppence.core.console import counted, note
from tuppence.core.files import explain_disk_errors

Result = dict[str, Any]


class RowLog:
    """The results by row number: those of the file, and those that were added.

    Rows are numbered from 0, in the order of their file.

    Args:
        path: the log; None keeps the results in memory only.
        key: what the results depend on. Results of a log with another key are dropped.

    Example:
        >>> import tempfile
        >>> path = Path(tempfile.mkdtemp()) / "task.jsonl"
        >>> with RowLog(path, {"model": "a"}) as log:
        ...     log.add(7, {"score": 1.0})
        >>> RowLog(path, {"model": "a"}).results, RowLog(path, {"model": "b"}).results
        ({7: {'score': 1.0}}, {})
    """

    def __init__(self, path: Path | None, key: Mapping[str, Any]) -> None:
        self.path = path
        self.key = json.loads(json.dumps(dict(key)))  # in the form in which it is read back
        self.results: dict[int, Result] = {}
        self._out: Any = None
        if path is not None and path.is_file():
            self._read(path)

    def _read(self, path: Path) -> None:
        with path.open("rb") as handle:
            lines = iter(handle)
            if _object(next(lines, b"")).get("key") != self.key:
                return
            for line in lines:
                row = _object(line)  # an incomplete last line is not an object: its row is scored again
                if isinstance(row.get("row"), int):
                    self.results[row.pop("row")] = row

    def __enter__(self) -> RowLog:
        if self.path is not None:
            with explain_disk_errors(self.path):
                # rewritten atomically, so that no incomplete line is left in the middle
                lines = [{"key": self.key}, *({"row": number, **row} for number, row in self.results.items())]
                files.write_text(self.path, "".join(map(_line, lines)))
                self._out = self.path.open("a", encoding="utf-8")
        return self

    def __exit__(self, *_: object) -> None:
        if self._out is not None:
            self._out.close()

    def missing(self, count: int) -> list[int]:
        """Returns the numbers of the first `count` rows that have no result yet; prints a note if some have one."""
        missing = [number for number in range(count) if number not in self.results]
        if len(missing) < count:
            note(f"{counted(count - len(missing), 'row')} of {count:,} had been scored before: {self.path}")
        return missing

    def ordered(self, count: int) -> list[Result]:
        """Returns the results of the first `count` rows."""
        return [self.results[number] for number in range(count)]

    def add(self, number: int, result: Result) -> None:
        """Adds the result of a row. It is flushed, so that it survives a kill of the process."""
        self.results[number] = result
        if self._out is not None and self.path is not None:
            with explain_disk_errors(self.path):
                self._out.write(_line({"row": number, **result}))
                self._out.flush()


def _line(value: Mapping[str, Any]) -> str:
    return json.dumps(value, ensure_ascii=False) + "\n"


def _object(line: bytes) -> dict[str, Any]:
    try:
        value = json.loads(line)
    except ValueError:
        return {}
    return value if isinstance(value, dict) else {}
