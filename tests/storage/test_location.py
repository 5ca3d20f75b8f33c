"""Locations are text until they become a local path."""

from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.storage.location import is_remote, join, local_path, output_path, scheme_of, split_url


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


def test_only_a_scheme_with_two_slashes_is_remote() -> None:
    assert [is_remote(place) for place in ("s3://b/k", "file:///a", "s3:/b/k", "a.txt", Path("runs/tiny"))] == [
        *(True, False, False, False, False)
    ]
    assert scheme_of("mem://bucket") == "mem"


def test_a_remote_place_has_no_local_path_and_is_no_output() -> None:
    with pytest.raises(InputError, match="s3://b/k is not on this machine"):
        local_path("s3://b/k")
    with pytest.raises(InputError, match="results cannot be written to s3://"):
        output_path("s3://b/k")


def test_a_url_that_became_a_path_is_recognised() -> None:
    with pytest.raises(InputError, match="lost a slash"):
        local_path(Path("s3://bucket/run"))


def test_a_tilde_is_the_home_folder_unless_no_user_has_that_name(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HOME", "/home/ann")
    assert local_path("~/runs") == Path("/home/ann/runs")
    assert local_path("~draft-of-nobody") == Path("~draft-of-nobody")


def test_names_are_joined_with_slashes_behind_a_url() -> None:
    assert join("mem://b/run/", "model", "config.json") == "mem://b/run/model/config.json"
    assert Path(join("runs", "tiny")) == Path("runs/tiny")
