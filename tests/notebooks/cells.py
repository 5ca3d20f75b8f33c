"""Runs cells of a chapter inside the test's process, so that a test can change the library or a seed before them."""

from __future__ import annotations

from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

import jupytext
import pytest
from tests.conftest import ROOT

from tuppence.core import console


class Cells:
    """The code cells of a chapter, and the names that they have defined so far.

    Args:
        name: of the source, without suffix.
    """

    def __init__(self, name: str) -> None:
        notebook = jupytext.read(ROOT / "notebooks" / f"{name}.py", fmt="py:percent")
        self.sources: list[str] = [cell.source for cell in notebook.cells if cell.cell_type == "code"]
        self.names: dict[str, Any] = {}

    def index(self, part: str) -> int:
        """The number of the one cell that contains `part`."""
        (found,) = (number for number, source in enumerate(self.sources) if part in source)
        return found

    def run(self, *parts: str) -> None:
        """Runs the cells that contain the parts, in this order."""
        self._run([self.sources[self.index(part)] for part in parts])

    def run_before(self, part: str) -> None:
        """Runs all cells before the one that contains `part`."""
        self._run(self.sources[: self.index(part)])

    def run_from(self, first: str, last: str) -> None:
        """Runs the cells from the one that contains `first` to the one that contains `last`."""
        self._run(self.sources[self.index(first) : self.index(last) + 1])

    def _run(self, sources: Sequence[str]) -> None:
        for source in sources:
            exec(compile(source, "cell", "exec"), self.names)


@contextmanager
def chapter_at(scale: str, folder: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    """Sets scale and folder of the chapters; afterwards, messages go to stderr again.

    At the scale "laptop", a base model that the notebooks of this working tree have made is used again.
    """
    made_here = (ROOT / "runs" / "course" / scale).glob("base-*") if scale == "laptop" else ()
    for made in made_here:
        link = Path(folder) / scale / made.name
        link.parent.mkdir(exist_ok=True)
        if not link.exists():
            link.symlink_to(made)
    monkeypatch.setenv("TUPPENCE_SCALE", scale)
    monkeypatch.setenv("TUPPENCE_COURSE", str(folder))
    try:
        yield
    finally:
        console.tell(None)
