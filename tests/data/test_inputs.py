"""Files, folders and globs are found, and files that are left out are reported."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.data.inputs import find_sources, warn_of_passed_over


def names(*inputs: str) -> list[str]:
    return [source.path for source in find_sources(inputs)]


@pytest.fixture
def corpus(tmp_path: Path) -> Path:
    for name in ("b.txt", "a.md", "deep/c.jsonl", "deep/er/d.parquet", "e.txt.gz", "f.jsonl.zst", "picture.png"):
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text("x")
    (tmp_path / "empty.txt").touch()
    return tmp_path


def test_known_files_of_a_folder_are_read_recursively_in_sorted_order(corpus: Path) -> None:
    wanted = ["a.md", "b.txt", "deep/c.jsonl", "deep/er/d.parquet", "e.txt.gz", "f.jsonl.zst"]
    assert names(str(corpus)) == [f"{corpus}/{name}" for name in wanted]


def test_json_in_a_folder_is_read_only_if_it_is_named(corpus: Path) -> None:
    (corpus / "info.json").write_text("{}")
    assert f"{corpus}/info.json" not in names(str(corpus))
    assert names(f"{corpus}/info.json") == [f"{corpus}/info.json"]


@pytest.mark.parametrize(
    ("pattern", "wanted"),
    [
        ("*.txt", ["b.txt"]),
        ("*.txt*", ["b.txt", "e.txt.gz"]),
        ("**/*.jsonl*", ["deep/c.jsonl", "f.jsonl.zst"]),
        ("deep/*.jsonl", ["deep/c.jsonl"]),
        ("d*/er/?.parquet", ["deep/er/d.parquet"]),
        ("[ab].*", ["a.md", "b.txt"]),
        ("[!b].md", ["a.md"]),
    ],
)
def test_globs_match_as_in_a_shell(corpus: Path, pattern: str, wanted: list[str]) -> None:
    assert names(f"{corpus}/{pattern}") == [f"{corpus}/{name}" for name in wanted]


def test_a_relative_glob_starts_in_the_working_folder(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(corpus)
    assert names("*.md", "deep/**/*.parquet") == ["a.md", "deep/er/d.parquet"]


def test_a_file_with_the_name_of_a_glob_is_read(tmp_path: Path) -> None:
    (tmp_path / "part[1].txt").write_text("x")
    assert names(f"{tmp_path}/part[1].txt") == [f"{tmp_path}/part[1].txt"]


@pytest.mark.parametrize(
    ("name", "complaint"),
    [
        ("nothing.txt", "does not exist"),
        ("*.csv", "no file matches"),
        ("*.png", "matches files of other kinds only"),
        ("emp*", "are empty"),
        ("{a,b}.txt", "does not exist"),
        ("[z-a].txt", "is not a valid pattern"),
        ("picture.png", "files of this kind cannot be read"),
        ("empty.txt", "is empty"),
    ],
)
def test_the_error_names_an_input_that_cannot_be_read(corpus: Path, name: str, complaint: str) -> None:
    with pytest.raises(InputError, match=complaint) as caught:
        names(f"{corpus}/{name}")
    assert name in caught.value.message
    assert caught.value.hint


def test_a_folder_without_text_is_refused(tmp_path: Path) -> None:
    (tmp_path / "picture.png").write_text("x")
    with pytest.raises(InputError, match="holds no file that can be read"):
        names(str(tmp_path))
    (tmp_path / "out.parquet").mkdir()
    with pytest.raises(InputError, match="only folders without a file match"):
        names(f"{tmp_path}/*.parquet")
    with pytest.raises(InputError, match="cannot be read from stdin"):
        names("-")
    with pytest.raises(InputError, match="an input is an empty name"):
        names("")


def test_a_folder_with_the_name_of_a_glob_is_read(tmp_path: Path) -> None:
    for name in ("corpus [v2]", "what?", "brk["):
        (tmp_path / name).mkdir()
        (tmp_path / name / "a.txt").write_text("x")
        assert names(f"{tmp_path}/{name}") == names(f"{tmp_path}/{name}/") == [f"{tmp_path}/{name}/a.txt"]


def test_folders_that_match_a_glob_are_read(corpus: Path) -> None:
    assert names(f"{corpus}/d*") == names(f"{corpus}/deep")
    assert names(f"{corpus}/*") == names(f"{corpus}/**") == names(f"{corpus}//**//*") == names(str(corpus))
    assert names(f"{corpus}/**.jsonl") == [f"{corpus}/deep/c.jsonl"]


def test_other_kinds_of_files_that_match_a_glob_are_left_out(corpus: Path) -> None:
    (corpus / "info.json").write_text("{}")
    assert names(f"{corpus}/[eip]*") == [f"{corpus}/e.txt.gz"]
    assert names(f"{corpus}/i*.json") == [f"{corpus}/info.json"]


def test_folders_that_cannot_match_a_glob_are_not_listed(corpus: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    looked: list[str] = []
    scandir = os.scandir
    monkeypatch.setattr(os, "scandir", lambda folder: looked.append(str(folder)) or scandir(folder))
    names(f"{corpus}/*.txt")
    assert looked == [str(corpus)]


def test_files_that_are_left_out_are_reported_once_with_a_count(
    corpus: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    (corpus / "deep" / "lost.txt").symlink_to("/gone/blob")
    assert f"{corpus}/deep/lost.txt" not in names(str(corpus))
    warn_of_passed_over([str(corpus)])
    said = capsys.readouterr().err
    assert f"passed over 1 file of other kinds ({corpus}/picture.png)" in said
    assert f"passed over 1 empty file ({corpus}/empty.txt)" in said
    assert "passed over 1 file that cannot be read; the first:" in said
    assert "deep/lost.txt is a link to /gone/blob" in said


def test_a_folder_of_dead_links_is_refused(tmp_path: Path) -> None:
    (tmp_path / "lost.txt").symlink_to("/gone/blob")
    for one in (str(tmp_path), f"{tmp_path}/*", f"{tmp_path}/lost.txt"):
        with pytest.raises(InputError, match="is a link to /gone/blob, which does not exist"):
            names(one)


@pytest.mark.parametrize("url", ["gs://bucket/a.txt", "gs://bucket/*.txt", "https://example.org/a.txt?x=1"])
def test_a_storage_that_this_build_cannot_read_is_named_in_full(url: str) -> None:
    with pytest.raises(InputError, match="cannot read") as caught:
        names(url)
    assert caught.value.message.startswith(f"{url}: ")
