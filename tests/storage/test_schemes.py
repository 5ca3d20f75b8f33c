"""URLs find their store, and those that cannot be read say so."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.memory_store import Memory

from tuppence.core.errors import InputError
from tuppence.storage import open_store


def test_paths_and_file_urls_open_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    for url in (str(tmp_path), f"file://{tmp_path}"):
        with open_store(url).open("a.txt") as stream:
            assert stream.read() == b"here"


def test_a_registered_scheme_opens_its_own_store(memory: Memory) -> None:
    memory.objects["mem://bucket/texts/a.txt"] = b"there"
    with open_store("mem://bucket/texts").open("a.txt") as stream:
        assert stream.read() == b"there"


@pytest.mark.parametrize("url", ["ftp://host/key", "https://example.org/a.txt", "gs://bucket/key"])
def test_an_unknown_scheme_is_refused_with_a_hint(url: str) -> None:
    with pytest.raises(InputError, match=r"cannot read .*://") as caught:
        open_store(url)
    assert caught.value.hint
