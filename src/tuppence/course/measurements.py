"""What the last `make notebooks` measured: the time of each chapter at the scale "laptop"."""

from __future__ import annotations

import json
from dataclasses import dataclass
from pathlib import Path

FOLDER = Path(__file__).with_name("measurements")
"""One file a chapter, so that two chapters can be measured side by side."""


@dataclass(frozen=True)
class Measured:
    """One chapter's execution.

    Attributes:
        seconds: of the whole notebook, start of the kernel included.
        cores: of the machine.
        date: of the measurement, YYYY-MM-DD.
        dollars: what it costs: nothing, where nothing is rented.
    """

    seconds: float
    cores: int
    date: str
    dollars: float = 0.0

    def __str__(self) -> str:
        minutes = f"{self.seconds / 60:.1f} minutes" if self.seconds >= 60 else f"{self.seconds:.0f} seconds"
        return f"{minutes} on {self.cores} cores, ${self.dollars:.2f} (measured {self.date})"


def measured() -> dict[int, Measured]:
    """Returns the measurement of every chapter that has been made, in order."""
    files = sorted(FOLDER.glob("chapter-*.json"))
    rows = {int(file.stem.removeprefix("chapter-")): json.loads(file.read_text(encoding="utf-8")) for file in files}
    return {number: Measured(**row) for number, row in rows.items()}


def record(number: int, found: Measured) -> None:
    """Keeps the measurement of a chapter."""
    FOLDER.mkdir(exist_ok=True)
    text = json.dumps(vars(found), indent=2)
    (FOLDER / f"chapter-{number}.json").write_text(text + "\n", encoding="utf-8")
