"""URLs find their store, and those we cannot read say so."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.storage import open_store, split_url


def test_paths_and_file_urls_open_the_same_folder(tmp_path: Path) -> None:
    (tmp_path / "a.txt").write_text("here")
    assert open_store(str(tmp_path)).read("a.txt") == b"here"
    assert open_store(f"file://{tmp_path}").read("a.txt") == b"here"


@pytest.mark.parametrize("url", ["s3://bucket/key", "https://example.org/a.txt", "gs://bucket/key"])
def test_a_url_that_this_build_cannot_read_is_refused_with_a_way_out(url: str) -> None:
    with pytest.raises(InputError, match=r"cannot read .*://") as caught:
        open_store(url)
    assert caught.value.hint


@pytest.mark.parametrize(
    ("url", "parts"),
    [
        ("a.txt", (".", "a.txt")),
        ("folder/a.txt", ("folder", "a.txt")),
        ("/a.txt", ("/", "a.txt")),
        ("s3://bucket/deep/a.txt", ("s3://bucket/deep", "a.txt")),
        ("s3://bucket/a.txt", ("s3://bucket", "a.txt")),
    ],
)
def test_a_url_is_cut_into_folder_and_name(url: str, parts: tuple[str, str]) -> None:
    assert split_url(url) == parts
