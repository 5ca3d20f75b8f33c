"""What is printed on stdout and on stderr, and lines read from stdin."""

from __future__ import annotations

import io
import json
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from tuppence.core import console
from tuppence.core.errors import InputError


def test_only_json_goes_to_stdout(capsys: pytest.CaptureFixture[str]) -> None:
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


def test_control_characters_are_escapes_on_a_terminal_and_bytes_elsewhere(
    capsys: pytest.CaptureFixture[str], monkeypatch: pytest.MonkeyPatch
) -> None:
    clipboard = "tell\tme\n\x1b]52;c;ZXZpbA==\x07\x1b[2K\r\x9b31m"
    console.out(clipboard)
    assert capsys.readouterr().out == clipboard + "\n"
    monkeypatch.setattr(sys.stdout, "isatty", lambda: True)
    console.out(clipboard)
    assert capsys.readouterr().out == "tell\tme\n\\x1b]52;c;ZXZpbA==\\x07\\x1b[2K\\r\\x9b31m\n"
    console.emit_json({"text": clipboard})
    printed = capsys.readouterr().out
    assert json.loads(printed) == {"text": clipboard}
    assert "\x9b" not in printed


def test_notes_and_warnings_hold_no_control_character_and_no_forged_line(capsys: pytest.CaptureFixture[str]) -> None:
    console.console.cache_clear()
    name = "file\nerror: forged\x1b[31m\u202egpj.exe\u2028"
    console.note(f"read {name}")
    console.warn(f"skipped {name}")
    console.note("a text\nof two lines\x1b[31m", lines=True)
    printed = capsys.readouterr().err
    console.console.cache_clear()
    shown = "file\\nerror: forged\\x1b[31m\\u202egpj.exe\\u2028"
    assert printed == f"read {shown}\nwarning: skipped {shown}\na text\nof two lines\\x1b[31m\n"


def test_a_byte_order_mark_at_the_beginning_of_stdin_is_dropped(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("\ufeffone \ufeff two".encode())))
    assert console.read_stdin() == "one \ufeff two"


@pytest.mark.parametrize(("encoding", "name"), [("utf-16", "UTF-16"), ("latin-1", "LATIN1")])
def test_stdin_in_another_encoding_is_refused_with_the_command_that_converts_it(
    monkeypatch: pytest.MonkeyPatch, encoding: str, name: str
) -> None:
    monkeypatch.setattr(sys, "stdin", io.TextIOWrapper(io.BytesIO("one été".encode(encoding))))
    with pytest.raises(InputError, match="stdin is ") as caught:
        console.read_stdin()
    assert f"iconv -f {name} -t UTF-8 FILE | tuppence" in caught.value.hint


@pytest.fixture
def terminal(monkeypatch: pytest.MonkeyPatch) -> Iterator[int]:
    """The other end of a terminal that is our stdin."""
    if not hasattr(os, "openpty"):
        pytest.skip("needs a pseudo-terminal")
    typist, screen = os.openpty()
    with os.fdopen(screen, "r") as stdin:
        monkeypatch.setattr(sys, "stdin", stdin)
        yield typist
    os.close(typist)


def test_lines_from_a_pipe_come_without_their_ends_and_without_a_prompt(
    monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("\ufeffone\r\n\ntwo"))
    assert [console.read_line() for _ in range(4)] == ["one", "", "two", None]
    assert capsys.readouterr() == ("", "")


def test_a_person_sees_a_prompt_on_stderr(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(terminal, "été\n".encode())
    assert console.read_line() == "été"
    assert capsys.readouterr() == ("", "> ")


@pytest.mark.parametrize(
    ("answer", "agreed"), [("y", True), ("Yes", True), ("", False), ("no", False), ("yesterday", False)]
)
def test_only_yes_confirms(terminal: int, answer: str, agreed: bool, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(terminal, answer.encode() + b"\n")
    assert console.confirm("delete\neverything?") is agreed
    assert capsys.readouterr().err == "delete\\neverything? [y/N] "


def test_a_pipe_cannot_confirm(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(sys, "stdin", io.StringIO("y\n"))
    with pytest.raises(InputError, match="not a terminal") as refused:
        console.confirm("delete everything?")
    assert "--yes" in refused.value.hint


def test_ctrl_c_ends_the_wait_for_a_line_and_the_next_line_is_read(terminal: int) -> None:
    for _ in range(20):
        timer = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
        timer.start()
        with pytest.raises(KeyboardInterrupt):
            console.read_line()
    os.write(terminal, b"still here\n")
    assert console.read_line() == "still here"


def test_notes_of_a_block_are_kept_and_warnings_are_printed_too(capsys: pytest.CaptureFixture[str]) -> None:
    with console.listening() as heard:
        console.note("a note")
        console.warn("a warning")
    console.note("after it")
    assert heard == ["a note", "warning: a warning"]
    assert capsys.readouterr().err == "warning: a warning\nafter it\n"


def test_messages_can_go_to_a_function(capsys: pytest.CaptureFixture[str]) -> None:
    told: list[str] = []
    console.tell(told.append)
    try:
        console.note("a note")
        with console.listening():
            console.note("kept")
            console.warn("told at once")
    finally:
        console.tell(None)
    assert told == ["a note", "warning: told at once"]
    assert capsys.readouterr().err == ""
