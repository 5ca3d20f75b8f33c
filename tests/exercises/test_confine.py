"""The limits of a process, in a process of its own: they cannot be taken back."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from pathlib import Path

import pytest

BEGIN = "import os, sys\nfrom tuppence.exercises import confine\n"


def run(code: str) -> subprocess.CompletedProcess[str]:
    return subprocess.run([sys.executable, "-c", BEGIN + code], capture_output=True, text=True, timeout=60)


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="other systems do not limit memory")
def test_memory_beyond_the_limit_is_refused_and_what_was_there_stays_usable() -> None:
    done = run(
        "kept = bytearray(2**26)\nconfine.limit_memory(2**26)\n"
        "try:\n    more = bytearray(2**28)\nexcept MemoryError:\n    print(len(kept))\n"
    )
    assert done.stdout == f"{2**26}\n", done.stderr


def test_cpu_time_beyond_the_limit_ends_the_process() -> None:
    done = run("confine.limit_cpu(0)\nwhile True: pass")
    assert done.returncode == -signal.SIGXCPU


def test_a_file_beyond_the_limit_is_refused(tmp_path: Path) -> None:
    done = run(
        "confine.limit_files()\nimport resource\nprint(resource.getrlimit(resource.RLIMIT_CORE)[0])\n"
        f"file = open({str(tmp_path / 'large')!r}, 'wb')\nfile.seek(64 * 2**20)\n"
        "try:\n    file.write(b'x'); file.flush()\nexcept OSError as error:\n    print(error.errno)\n"
        "os._exit(0)"
    )
    assert done.stdout == "0\n27\n", done.stderr  # EFBIG


@pytest.mark.parametrize(
    ("action", "words"),
    [
        ("os.system('true')", "starts another process"),
        ("__import__('subprocess').run(['true'])", "starts another process"),
        ("__import__('socket').create_connection(('127.0.0.1', 9))", "opens a network connection"),
        ("__import__('socket').gethostbyname('localhost')", "opens a network connection"),
    ],
)
def test_programs_and_connections_are_refused_even_if_exceptions_are_swallowed(action: str, words: str) -> None:
    done = run(f"print(confine.without_network())\ntry:\n    {action}\nexcept Exception:\n    print('hidden')\n")
    assert done.stdout in ("namespace\n", "audit hook\n")
    assert f"NotAllowedError: {words}" in done.stderr


@pytest.mark.skipif(not hasattr(os, "getuid"), reason="a system without users")
def test_user_and_group_keep_their_numbers() -> None:
    done = run(
        "before = os.getuid(), os.getgid()\nconfine.without_network()\nprint(before == (os.getuid(), os.getgid()))"
    )
    assert done.stdout == "True\n", done.stderr
