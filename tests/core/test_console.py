from __future__ import annotations

import json

import pytest

from tuppence.core import console


def test_json_goes_to_stdout_alone_and_is_json(capsys: pytest.CaptureFixture[str]) -> None:
    console.emit_json({"loss": float("nan"), "best": [float("inf"), -1.5, (float("-inf"),)], "text": "naïve"})
    printed = capsys.readouterr()

    def refuse(constant: str) -> None:
        pytest.fail(f"{constant} is not JSON")

    value = json.loads(printed.out, parse_constant=refuse)
    assert value == {"loss": None, "best": [None, -1.5, [None]], "text": "naïve"}
    assert "naïve" in printed.out
    assert printed.err == ""


def test_notes_and_warnings_go_to_stderr_as_they_are(capsys: pytest.CaptureFixture[str]) -> None:
    console.console.cache_clear()
    console.note("[bold]not markup[/bold] " + "long " * 60 + "end")
    console.warn("mind the gap")
    printed = capsys.readouterr()
    console.console.cache_clear()
    assert printed.out == ""
    assert "[bold]not markup[/bold]" in printed.err
    assert len(printed.err.splitlines()) == 2, "a long line is not cut in pieces"
    assert printed.err.splitlines()[1] == "warning: mind the gap"


@pytest.mark.parametrize("unit", ["bytes", "documents"])
def test_progress_is_silent_where_stderr_is_no_terminal(unit: str, capsys: pytest.CaptureFixture[str]) -> None:
    console.console.cache_clear()
    with console.progress(unit) as bar:
        task = bar.add_task("reading", total=2)
        bar.advance(task, 2)
        assert bar.tasks[task].finished
    printed = capsys.readouterr()
    console.console.cache_clear()
    assert (printed.out, printed.err) == ("", "")
