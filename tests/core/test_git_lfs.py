"""A Git LFS pointer in the place of a file."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.core.files import read_json
from tuppence.core.git_lfs import BEGINNING, refuse_pointer


def test_a_pointer_is_refused_with_the_command_that_gets_the_file(tmp_path: Path) -> None:
    path = tmp_path / "config.json"
    path.write_bytes(BEGINNING + b"v1\noid sha256:ab\nsize 12\n")
    for read in (refuse_pointer, read_json):
        with pytest.raises(InputError, match="is a Git LFS pointer") as caught:
            read(path)
        assert "git lfs pull" in caught.value.hint


@pytest.mark.parametrize("content", [b"", b"version", b"{}"])
def test_other_files_are_accepted(content: bytes, tmp_path: Path) -> None:
    (tmp_path / "file").write_bytes(content)
    refuse_pointer(tmp_path / "file")


def test_a_missing_file_is_an_error_of_the_system(tmp_path: Path) -> None:
    with pytest.raises(FileNotFoundError):
        refuse_pointer(tmp_path / "file")
