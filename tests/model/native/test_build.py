from __future__ import annotations

import os
import stat
import subprocess
import sys
from pathlib import Path

import pytest

from tuppence.model.native import build as native


@pytest.fixture(autouse=True)
def home(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Path:
    """A cache folder for each test, and no library in memory."""
    if os.name != "posix":
        pytest.skip("POSIX only")
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path))
    monkeypatch.delenv("TUPPENCE_NATIVE", raising=False)
    monkeypatch.setattr(native, "_failed", set())
    native._load.cache_clear()
    return tmp_path


def fake_compiler(home: Path, script: str, monkeypatch: pytest.MonkeyPatch) -> Path:
    """Installs a compiler that records each call and then runs `script`; returns the file of the records."""
    path, notes = home / "g++", home / "notes"
    path.write_text(f"#!/bin/sh\necho called >> {notes}\n{script}\n")
    path.chmod(0o755)
    monkeypatch.setenv("CXX", str(path))
    return notes


def test_the_library_is_built_once_in_the_users_cache_and_a_line_says_so(
    home: Path, capfd: pytest.CaptureFixture[str]
) -> None:
    assert native.library(build=False) is None
    found = native.library(build=True)
    if found is None:
        pytest.skip("no C++ compiler")
    assert capfd.readouterr().err == "compiling the generation step for this processor (once, a few seconds)\n"
    built = list((home / "tuppence").iterdir())
    assert built == [native.library_path()]
    native._load.cache_clear()
    assert native.library(build=True) is not None  # what a later process does
    assert capfd.readouterr().err == ""
    assert list((home / "tuppence").iterdir()) == built


def test_another_source_gives_another_file(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    before = native.library_path()
    other = tmp_path / "other.cpp"
    other.write_text(native.SOURCE.read_text() + "\n// changed\n")
    monkeypatch.setattr(native, "SOURCE", other)
    native._fingerprint.cache_clear()
    assert native.library_path() != before
    native._fingerprint.cache_clear()


def test_a_failing_compiler_is_called_once_and_leaves_no_files(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    notes = fake_compiler(home, "exit 1", monkeypatch)
    assert native.library(build=True) is None
    assert native.library(build=True) is None
    assert len(notes.read_text().splitlines()) == 2  # for this processor, then for any
    assert list((home / "tuppence").iterdir()) == []


def test_code_is_portable_if_the_compiler_does_not_know_the_processor(
    home: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    notes = fake_compiler(home, 'case "$*" in *march=native*) exit 1;; esac\nexec /usr/bin/g++ "$@"', monkeypatch)
    if not Path("/usr/bin/g++").exists():
        pytest.skip("no g++")
    found = native.library(build=True)
    assert found is not None
    assert found.decode_float32
    assert len(notes.read_text().splitlines()) == 2


def test_a_library_that_does_not_load_gives_none(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    fake_compiler(home, 'for last; do :; done; echo "not a library" > "$last"', monkeypatch)
    assert native.library(build=True) is None


def test_no_compiler_is_no_library(monkeypatch: pytest.MonkeyPatch, home: Path) -> None:
    monkeypatch.setenv("PATH", str(home))
    monkeypatch.delenv("CXX", raising=False)
    assert native.library(build=True) is None


def test_a_folder_that_others_can_write_is_not_trusted(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    folder = native.library_path().parent
    folder.mkdir()
    native.library_path().write_bytes(b"someone else's")
    native.library_path().chmod(0o700)
    folder.chmod(0o777)
    monkeypatch.setattr(native.ctypes, "CDLL", lambda path: pytest.fail("loaded"))
    assert native.library(build=True) is None
    assert stat.S_IMODE(folder.stat().st_mode) == 0o777


def test_a_cache_that_cannot_be_written_is_no_error(home: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("XDG_CACHE_HOME", "/dev/null")
    assert native.library(build=True) is None


def test_an_environment_variable_turns_the_library_off(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUPPENCE_NATIVE", "0")
    monkeypatch.setattr(native, "_load", lambda path: pytest.fail("loaded"))
    assert native.library(build=True) is None


def test_a_user_without_a_home_folder_has_no_library(monkeypatch: pytest.MonkeyPatch) -> None:
    def nobody() -> Path:
        raise RuntimeError("Could not determine home directory.")  # what pathlib says of docker run -u 12345

    monkeypatch.setattr(Path, "home", nobody)
    monkeypatch.delenv("XDG_CACHE_HOME")
    assert native.library(build=True) is None


def test_the_source_is_read_as_utf_8_in_every_locale() -> None:
    line = "from tuppence.model.native import build as native; print(native._fingerprint())"
    environment = {**os.environ, "LC_ALL": "C", "PYTHONUTF8": "0", "PYTHONCOERCECLOCALE": "0"}
    answer = subprocess.run([sys.executable, "-c", line], capture_output=True, text=True, env=environment)
    assert answer.returncode == 0, answer.stderr
    assert answer.stdout.strip() == native._fingerprint()
