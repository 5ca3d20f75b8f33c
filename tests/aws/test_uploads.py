from __future__ import annotations

from pathlib import Path

import pytest

from tuppence.aws.uploads import missing_files, tree_of, upload
from tuppence.core.errors import InputError
from tuppence.storage import open_store


def folder(root: Path, name: str = "data") -> Path:
    (root / name / "sub").mkdir(parents=True)
    (root / name / "a.bin").write_bytes(b"1234")
    (root / name / "sub" / "b.bin").write_bytes(b"56")
    (root / name / ".hidden").write_bytes(b"no")
    return root / name


def test_a_tree_keeps_names_and_leaves_hidden_files_out(tmp_path: Path) -> None:
    tree = tree_of(folder(tmp_path))
    assert sorted(tree.files) == ["data/a.bin", "data/sub/b.bin"]
    assert tree.size == 6
    assert sorted(tree_of(tmp_path / "data" / "a.bin").files) == ["a.bin"]


def test_the_key_is_that_of_the_content(tmp_path: Path) -> None:
    first, second = tree_of(folder(tmp_path / "1")), tree_of(folder(tmp_path / "2"))
    assert first.key == second.key
    (tmp_path / "2" / "data" / "a.bin").write_bytes(b"1235")
    assert tree_of(tmp_path / "2" / "data").key != first.key
    assert tree_of(folder(tmp_path / "3", "other")).key != first.key


def test_content_is_uploaded_once_and_an_upload_continues(tmp_path: Path, objects: dict[str, bytes]) -> None:
    tree, store = tree_of(folder(tmp_path)), open_store("s3://bucket")
    assert upload(tree, store, "inputs/k") == 2  # type: ignore[arg-type]
    assert objects == {"s3://bucket/inputs/k/data/a.bin": b"1234", "s3://bucket/inputs/k/data/sub/b.bin": b"56"}
    assert upload(tree, store, "inputs/k") == 0  # type: ignore[arg-type]
    del objects["s3://bucket/inputs/k/data/a.bin"]
    assert missing_files(tree, store, "inputs/k") == ["data/a.bin"]  # type: ignore[arg-type]
    counted: list[int] = []
    assert upload(tree, store, "inputs/k", counted.append) == 1  # type: ignore[arg-type]
    assert counted == [4]


@pytest.mark.parametrize("make", [lambda path: None, Path.mkdir])
def test_nothing_is_refused(tmp_path: Path, make: object) -> None:
    make(tmp_path / "nothing")  # type: ignore[operator]
    with pytest.raises(InputError, match="nothing"):
        tree_of(tmp_path / "nothing")
