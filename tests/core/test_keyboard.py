"""Lines from a pipe and from a terminal, and Ctrl-C while nobody types."""

from __future__ import annotations

import io
import os
import signal
import sys
import threading
from collections.abc import Iterator

import pytest

from tuppence.core.keyboard import Keyboard


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
    with Keyboard() as keyboard:
        assert [keyboard.read_line() for _ in range(4)] == ["one", "", "two", None]
    assert capsys.readouterr() == ("", "")


def test_a_person_sees_a_prompt_on_stderr(terminal: int, capsys: pytest.CaptureFixture[str]) -> None:
    os.write(terminal, "été\n".encode())
    with Keyboard() as keyboard:
        assert keyboard.read_line() == "été"
    assert capsys.readouterr() == ("", "> ")


def test_ctrl_c_ends_the_wait_and_the_next_line_is_read_all_the_same(terminal: int) -> None:
    with Keyboard() as keyboard:
        for _ in range(20):
            timer = threading.Timer(0.01, os.kill, (os.getpid(), signal.SIGINT))
            timer.start()
            with pytest.raises(KeyboardInterrupt):
                keyboard.read_line()
        os.write(terminal, b"still here\n")
        assert keyboard.read_line() == "still here"


def test_a_signal_that_raises_nothing_does_not_end_the_wait(terminal: int, monkeypatch: pytest.MonkeyPatch) -> None:
    seen: list[int] = []
    before = signal.signal(signal.SIGUSR1, lambda number, _: seen.append(number))

    def signal_then_type() -> None:
        os.kill(os.getpid(), signal.SIGUSR1)
        os.write(terminal, b"typed\n")

    try:
        threading.Timer(0.05, signal_then_type).start()
        with Keyboard() as keyboard:
            assert keyboard.read_line() == "typed"
    finally:
        signal.signal(signal.SIGUSR1, before)
    assert seen == [signal.SIGUSR1]


def test_the_wakeup_of_signals_is_put_back(terminal: int) -> None:
    before = signal.set_wakeup_fd(-1)
    signal.set_wakeup_fd(before)
    with Keyboard():
        assert signal.set_wakeup_fd(-1) not in (-1, before)
    assert signal.set_wakeup_fd(before) == before
