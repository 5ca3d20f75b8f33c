"""The live line of a run: step, loss, speed, remaining time and dollars.

In a terminal and in a notebook one line is updated; elsewhere a line is printed every ten seconds.
"""

from __future__ import annotations

import sys
import time
from collections.abc import Mapping
from types import TracebackType
from typing import Any

from rich.live import Live
from rich.text import Text

from tuppence.core.console import console, note
from tuppence.core.notebook import UpdatingText
from tuppence.core.numbers import duration

PLAIN_EVERY_SECONDS = 10.0


def describe(row: Mapping[str, Any]) -> str:
    """Returns a row of training as one line, without the values that are unknown.

    Example:
        >>> describe({"step": 20, "max_steps": 100, "loss": 4.25, "tokens_per_second": 2500.0, "seconds_left": 65})
        'step 20/100 · loss 4.250 · 2,500 tok/s · 1 min 5 s to go'
    """
    of = f"/{row['max_steps']}" if row.get("max_steps") else ""
    parts = [f"step {row['step']}{of}"]
    if row.get("loss") is not None:
        parts.append(f"loss {row['loss']:.3f}")
    if row.get("val_loss") is not None:
        parts.append(f"val {row['val_loss']:.3f}")
    if row.get("tokens_per_second") is not None:
        parts.append(f"{row['tokens_per_second']:,.0f} tok/s")
    if row.get("mfu") is not None:
        parts.append(f"MFU {row['mfu']:.0%}")
    if row.get("seconds_left") is not None:
        parts.append(f"{duration(row['seconds_left'])} to go")
    if row.get("rate"):
        parts.append(f"${row['dollars']:.4f} spent")
        if row.get("dollars_left") is not None:
            parts.append(f"${row['dollars_left']:.4f} to go")
    return " · ".join(parts)


class ProgressLine:
    """A context that shows the newest row."""

    def __init__(self, *, silent: bool = False) -> None:
        self._silent = silent
        self._terminal = sys.stderr.isatty() and not silent
        self._live = Live(console=console(), refresh_per_second=4, transient=True) if self._terminal else None
        self._cell = UpdatingText() if console().is_jupyter and not silent else None
        self._last_plain = 0.0

    def __enter__(self) -> ProgressLine:
        if self._live:
            self._live.start()
        return self

    def __exit__(
        self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None
    ) -> None:
        if self._live:
            self._live.stop()
        if self._cell:
            self._cell.show("")  # the metrics have it

    def show(self, row: Mapping[str, Any]) -> None:
        """Updates the live line; outside terminals and notebooks, prints a line every ten seconds."""
        if self._silent:
            return
        if self._cell:
            self._cell.show(describe(row))
        elif self._live:
            self._live.update(Text(describe(row)))
        elif time.monotonic() - self._last_plain >= PLAIN_EVERY_SECONDS:
            self._last_plain = time.monotonic()
            note(describe(row))

    def say(self, message: str) -> None:
        """Prints lines that stay."""
        if not self._silent:
            note(message, lines=True)
