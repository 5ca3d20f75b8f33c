"""The real program with streams that are closed, full, or in another encoding."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.core import streams
from tuppence.core.streams import Messages

pytestmark = pytest.mark.skipif(sys.platform == "win32", reason="redirections are a POSIX shell's")


def shell(line: str, **environment: str) -> subprocess.CompletedProcess[str]:
    """A line of bash in which `tuppence` is the program."""
    program = f'tuppence() {{ "{sys.executable}" -m tuppence "$@"; }}; set -o pipefail; {line}'
    return subprocess.run(
        ["bash", "-c", program], capture_output=True, text=True, timeout=120, env={**os.environ, **environment}
    )


@pytest.mark.parametrize("closed", ["<&-", ">&-", "2>&-", "<&- >&- 2>&-"])
def test_a_closed_stream_is_no_error(closed: str) -> None:
    done = shell(f"tuppence data list {closed}")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.parametrize("closed", [">&-", "2>&-"])
def test_a_wrong_input_exits_2_with_closed_streams(closed: str) -> None:
    assert shell(f"tuppence data get no-such-set --out x {closed}").returncode == 2


@pytest.mark.parametrize("line", ["tuppence data list", "tuppence --help", "tuppence data list --json"])
def test_a_closed_pipe_is_no_error(line: str) -> None:
    done = shell(f"{line} | head -c 1")
    assert (done.returncode, done.stderr) == (0, "")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's always-full device")
@pytest.mark.parametrize("line", ["tuppence data list", "tuppence --help", "tuppence data list --json"])
def test_a_full_stdout_gives_an_error_of_one_line(line: str) -> None:
    done = shell(f"{line} > /dev/full")
    assert done.returncode == 2
    first, second = done.stderr.splitlines()
    assert first == "error: cannot write to stdout: No space left on device"
    assert second.startswith("  hint: ")


@pytest.mark.skipif(not Path("/dev/full").exists(), reason="/dev/full is Linux's always-full device")
@pytest.mark.parametrize("stderr", ["/dev/full", ">(true)"])
def test_messages_that_cannot_be_written_change_nothing(stderr: str, tmp_path: Path) -> None:
    done = shell(f"tuppence data synth sms --out {tmp_path / 'a.tsv'} --count 10 2> {stderr}")
    assert done.returncode == 0
    assert (tmp_path / "a.tsv").exists()
    assert shell(f"tuppence data get no-such-set --out x 2> {stderr}").returncode == 2


@pytest.mark.parametrize("encoding", ["ascii", "cp1252", "utf-8:strict", "latin-1:strict"])
def test_every_text_can_be_written_in_every_encoding(encoding: str, tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("the lamp ☃", encoding="utf-8")
    line = f"tuppence tokenizer train {tmp_path}/a.txt --vocab-size 257 --out {tmp_path}/tök☃"
    done = subprocess.run(
        ["bash", "-c", f'"{sys.executable}" -m {line}; exit $?'],
        capture_output=True,
        timeout=120,
        env={**os.environ, "PYTHONIOENCODING": encoding},
    )
    assert done.returncode == 0, done.stderr
    assert done.stdout


def test_json_stays_json_in_ascii(tmp_path: Path) -> None:
    out = tmp_path / "naïve😀.tsv"
    done = shell(f"tuppence data synth sms --out {out} --count 2 --json", PYTHONIOENCODING="ascii")
    assert done.returncode == 0, done.stderr
    assert json.loads(done.stdout)["out"] == str(out)


def test_an_argument_that_is_no_text_is_refused(tmp_path: Path) -> None:
    done = shell("tuppence data synth sms --count 2 --out " + str(tmp_path) + r"/$'caf\xe9.tsv'")
    assert done.returncode == 2
    assert "not UTF-8" in done.stderr
    assert list(tmp_path.iterdir()) == []
    done = shell(
        f"tuppence data synth sms --count 2 --out {tmp_path}/é.tsv",
        LC_ALL="C",
        PYTHONUTF8="0",
        PYTHONCOERCECLOCALE="0",
    )
    assert done.returncode == 2
    assert "ASCII" in done.stderr


OPENS_A_FILE = """
import os, sys
from tuppence.core.streams import prepare_streams
prepare_streams()
with open(sys.argv[1], "wb") as out:
    os.write(1, b"what a library prints")
    os.write(2, b"what a library prints")
    print("ours")
"""


def test_no_file_gets_the_descriptor_number_of_a_closed_stream(tmp_path: Path) -> None:
    line = f"'{sys.executable}' -c '{OPENS_A_FILE}' '{tmp_path / 'weights'}' <&- >&- 2>&-"
    assert subprocess.run(["bash", "-c", line]).returncode == 0
    assert (tmp_path / "weights").read_bytes() == b""


def test_messages_are_discarded_after_stderr_is_closed(monkeypatch: pytest.MonkeyPatch) -> None:
    reading, writing = os.pipe()
    os.close(reading)
    with os.fdopen(writing, "w", buffering=1) as broken:
        monkeypatch.setattr(sys, "stderr", broken)
        messages = Messages()
        for _ in range(3):
            messages.write("a line\n")
            messages.flush()
        assert not messages.isatty()


def test_a_stream_without_a_descriptor_is_left_alone(monkeypatch: pytest.MonkeyPatch) -> None:
    import io

    monkeypatch.setattr(sys, "stdout", io.StringIO())
    assert streams.finish_streams() is None
    streams.discard(sys.stdout)
