"""Exceptions are translated to errors for the user."""

from __future__ import annotations

import errno
import os
import sys
from pathlib import Path

import pytest

from tuppence.cli import endings
from tuppence.core.errors import InputError, OutOfSpaceError


def system_error(number: int, name: str | bytes | None = None) -> OSError:
    return OSError(number, os.strerror(number), name) if name else OSError(number, os.strerror(number))


@pytest.mark.parametrize("number", [errno.EACCES, errno.ENAMETOOLONG, errno.EISDIR, errno.ENOTDIR, errno.ELOOP])
@pytest.mark.parametrize("name", ["some/file", b"some/file"])
def test_a_file_error_is_translated_for_the_user(number: int, name: str | bytes) -> None:
    told = endings.explain(system_error(number, name), [Path("some/other")])
    assert isinstance(told, InputError)
    assert told.message == f"cannot read some/file: {os.strerror(number)}"
    assert told.hint


@pytest.mark.parametrize("out", ["some/file", "some", "some/file/x"])
def test_an_error_of_a_path_inside_or_above_an_output_is_one_of_writing(out: str) -> None:
    told = endings.explain(system_error(errno.EACCES, "some/file"), [Path("other"), Path(out).absolute()])
    assert told is not None
    assert told.message == "cannot write some/file: Permission denied"


def test_a_full_disk_and_a_broken_one_need_no_name() -> None:
    assert isinstance(endings.explain(system_error(errno.ENOSPC), []), OutOfSpaceError)
    told = endings.explain(system_error(errno.EIO), [])
    assert told is not None
    assert "Input/output error" in told.message


@pytest.mark.parametrize("error", [ValueError("x"), OSError("no number"), system_error(errno.EINVAL)])
def test_other_exceptions_are_not_translated(error: Exception) -> None:
    assert endings.explain(error, []) is None


def test_an_error_holds_no_control_character_and_no_forged_line(capsys: pytest.CaptureFixture[str]) -> None:
    assert endings.complain("no file a\nerror: forged\x1b[2K", "look\nhere\x07", 2) == 2
    assert capsys.readouterr().err == "error: no file a\\nerror: forged\\x1b[2K\n  hint: look\\nhere\\x07\n"


GLOO = "[../third_party/gloo/gloo/transport/tcp/pair.cc:534] Connection closed by peer [127.0.0.1]:61"


def test_the_loss_of_another_rank_is_told_from_an_own_failure(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("WORLD_SIZE", raising=False)
    assert endings.lost_rank(RuntimeError(GLOO)) is None
    monkeypatch.setenv("WORLD_SIZE", "2")
    monkeypatch.setenv("RANK", "1")
    assert endings.lost_rank(RuntimeError(GLOO)) == 1
    assert endings.lost_rank(RuntimeError("shapes do not fit")) is None
    assert endings.lost_rank(ValueError(GLOO)) is None
    import torch.distributed as dist

    assert endings.lost_rank(dist.DistBackendError("NCCL communicator was aborted")) == 1
    monkeypatch.setenv("WORLD_SIZE", "two")
    assert endings.lost_rank(RuntimeError(GLOO)) is None


def test_arguments_that_are_text_pass_and_others_are_named(monkeypatch: pytest.MonkeyPatch) -> None:
    endings.refuse_undecodable(["generate", "naïve ☃ 😀"])
    with pytest.raises(InputError, match=r"caf\\xe9 is not UTF-8"):
        endings.refuse_undecodable(["generate", "caf\udce9"])
    monkeypatch.setattr(sys, "getfilesystemencoding", lambda: "ascii")
    with pytest.raises(InputError, match="whose encoding is ASCII"):
        endings.refuse_undecodable(["caf\udcc3\udca9"])
