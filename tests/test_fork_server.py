"""A forked command is told apart from a new process by nothing but its speed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections.abc import Callable
from pathlib import Path

import pytest

from tests.fork_server import ForkedCommand, ForkServers

Run = Callable[..., "subprocess.CompletedProcess[str]"]


@pytest.mark.parametrize(
    ("words", "stdin"),
    [
        (["data", "list"], ""),
        (["docter"], ""),
        ([], ""),
        (["tokenizer", "show", "nowhere"], ""),
        (["data", "synth", "sms", "--count", "2", "--out", "é.tsv", "--json"], ""),
        (["generate", "nowhere", "--prompt", "-"], "one\ntwo\n"),
    ],
)
def test_exit_code_and_streams_are_those_of_a_new_process(
    tuppence: Run, tmp_path: Path, words: list[str], stdin: str
) -> None:
    (tmp_path / "forked").mkdir()
    (tmp_path / "new").mkdir()
    forked = tuppence(*words, input=stdin, cwd=tmp_path / "forked")
    command = [sys.executable, "-m", "tuppence", *words]
    new = subprocess.run(command, input=stdin, capture_output=True, text=True, cwd=tmp_path / "new")
    assert (forked.returncode, forked.stdout, forked.stderr) == (new.returncode, new.stdout, new.stderr)
    assert [path.name for path in (tmp_path / "forked").iterdir()] == [
        path.name for path in (tmp_path / "new").iterdir()
    ]


def test_a_signal_ends_a_command_as_it_ends_a_process(
    start_tuppence: Callable[..., ForkedCommand], tmp_path: Path
) -> None:
    process = start_tuppence("data", "synth", "stories", "--count", 10_000_000, "--out", tmp_path / "stories.txt")
    assert process.poll() is None
    with pytest.raises(subprocess.TimeoutExpired):
        process.wait(0.1)
    process.send_signal(signal.SIGKILL)
    process.communicate(timeout=60)
    assert process.returncode == process.poll() == -signal.SIGKILL
    with pytest.raises(ProcessLookupError):
        for _ in range(100):
            os.kill(process.pid, 0)
            time.sleep(0.05)


def test_a_variable_that_is_read_at_the_start_of_a_process_needs_a_new_one(fork_servers: ForkServers) -> None:
    assert fork_servers.of({**os.environ, "PYTHONHASHSEED": "1"}) is None
    assert fork_servers.of({**os.environ, "XDG_CACHE_HOME": "/nowhere"}) is fork_servers.of(None)
