"""Progress in a notebook is one output that is replaced; IPython itself is the oracle of what a cell shows."""

from __future__ import annotations

from collections.abc import Iterator
from typing import Any

import pytest

from tuppence.core import console, notebook
from tuppence.core.notebook import UpdatingText
from tuppence.training.progress import ProgressLine


@pytest.fixture
def cell(monkeypatch: pytest.MonkeyPatch) -> Iterator[Any]:
    """What a running cell publishes."""
    shells = pytest.importorskip("IPython.core.interactiveshell")
    shell = shells.InteractiveShell.instance()
    publisher = pytest.importorskip("IPython.core.displaypub").CapturingDisplayPublisher()
    monkeypatch.setattr(shell, "display_pub", publisher)
    monkeypatch.setattr(notebook, "SECONDS_BETWEEN_UPDATES", 0.0)
    console.console.cache_clear()
    console.console().is_jupyter = True
    yield publisher
    console.console.cache_clear()
    shells.InteractiveShell.clear_instance()


def shown(cell: Any) -> list[str]:
    """The texts of the one output, and that it is one."""
    outputs: list[dict[str, Any]] = cell.outputs
    assert len({output["transient"]["display_id"] for output in outputs}) == 1
    assert [output["update"] for output in outputs] == [False] + [True] * (len(outputs) - 1)
    return [output["data"]["text/plain"] for output in outputs]


def test_each_text_replaces_the_last(cell: Any) -> None:
    text = UpdatingText()
    for line in ("one", "two", "two", "three"):
        text.show(line)
    assert shown(cell) == ["one", "two", "three"]


def test_a_run_shows_one_line_that_changes_and_goes_at_the_end(cell: Any, capsys: pytest.CaptureFixture[str]) -> None:
    with ProgressLine() as line:
        for step in range(1, 101):
            line.show({"step": step, "max_steps": 100})
    texts = shown(cell)
    assert len(texts) == 101
    assert texts[-2:] == ["step 100/100", ""]  # removed at the end: the metrics have it
    assert capsys.readouterr().err == ""


@pytest.mark.parametrize("unit", ["bytes", "documents"])
def test_a_progress_bar_is_one_output_and_goes_at_the_end(unit: str, cell: Any) -> None:
    with console.progress(unit) as bar:
        task = bar.add_task("reading", total=1000)
        for _ in range(10):
            bar.advance(task, 100)
    texts = shown(cell)
    assert all(text.startswith("reading") for text in texts[:-1])
    assert "500/1000" in texts[4].replace("bytes", "").replace(" ", "") or "0.5/1.0kB" in texts[4].replace(" ", "")
    assert texts[-1] == ""
