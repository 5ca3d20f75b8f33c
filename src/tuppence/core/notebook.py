"""Progress in a notebook: one output of a cell is updated, instead of a new line for every change.

It uses plain text and IPython's display without widgets, which works in Jupyter, Colab and SageMaker Studio. Called by
`console` and by the progress line of training if `console().is_jupyter`.
"""

from __future__ import annotations

import io
import time
from typing import Any

from rich.console import Console
from rich.progress import Progress, ProgressColumn, TaskID

SECONDS_BETWEEN_UPDATES = 0.5
_WIDTH = 100


class UpdatingText:
    """Text in the output of the running cell. Each `show` replaces the previous text."""

    def __init__(self) -> None:
        self._handle: Any = None
        self._shown = ""

    def show(self, text: str) -> None:
        """Replaces the text."""
        from IPython import display as ipython

        display: Any = ipython.display  # untyped where IPython is installed, unknown where it is not
        if text == self._shown:
            return
        self._shown = text
        content = {"text/plain": text}
        if self._handle is None:
            self._handle = display(content, raw=True, display_id=True)
        else:
            self._handle.update(content, raw=True)


class NotebookProgress(Progress):
    """Shows rich's progress bars as updating text, and removes the text at the end."""

    def __init__(self, *columns: str | ProgressColumn) -> None:
        super().__init__(*columns, disable=True)  # rich's own display needs ipywidgets
        self._text = UpdatingText()
        self._last = 0.0

    def advance(self, task_id: TaskID, advance: float = 1) -> None:
        super().advance(task_id, advance)
        self._show()

    def update(self, task_id: TaskID, **changes: Any) -> None:
        super().update(task_id, **changes)
        self._show()

    def stop(self) -> None:
        super().stop()
        if self._last:
            self._text.show("")

    def _show(self) -> None:
        if time.monotonic() - self._last < SECONDS_BETWEEN_UPDATES:
            return
        self._last = time.monotonic()
        page = io.StringIO()
        Console(file=page, width=_WIDTH, force_jupyter=False, force_terminal=False).print(self.get_renderable())
        self._text.show(page.getvalue().rstrip())
