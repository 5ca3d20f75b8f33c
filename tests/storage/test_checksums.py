"""The sha256 that a folder states for its files is compared with them."""

from __future__ import annotations

import hashlib
import json
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import CorruptFileError
from tuppence.storage.checksums import verify_checksums

CONTENT = b"weights"
GOOD = hashlib.sha256(CONTENT).hexdigest()


def listing(kind: str, name: str, digest: str) -> str:
    lists: dict[str, Any] = {
        "MANIFEST.json": {name: {"bytes": len(CONTENT), "sha256": digest}},
        "index.json": {
            "shards": [{"file": name, "sha256": digest}],
            "splits": {"train": {"document_offsets": "d.bin", "document_offsets_sha256": digest}},
        },
    }
    return json.dumps(lists[kind]) if kind in lists else f"{digest}  {name}\n"


@pytest.mark.parametrize("kind", ["MANIFEST.json", "index.json", "SHA256SUMS"])
def test_a_listed_file_that_differs_is_named(tmp_path: Path, kind: str) -> None:
    folder = tmp_path / "inside"
    folder.mkdir()
    (folder / "a.bin").write_bytes(CONTENT)
    (folder / kind).write_text(listing(kind, "a.bin", GOOD))
    assert verify_checksums(tmp_path) == 1
    (folder / "a.bin").write_bytes(b"weightz")
    with pytest.raises(CorruptFileError, match=rf"a\.bin is damaged: its sha256 is not the one in {kind}"):
        verify_checksums(tmp_path)


def test_files_that_are_absent_or_outside_the_folder_are_not_compared(tmp_path: Path) -> None:
    (tmp_path / "secret").write_bytes(b"other")
    (tmp_path / "in").mkdir()
    (tmp_path / "in" / "MANIFEST.json").write_text(listing("MANIFEST.json", "../secret", GOOD))
    (tmp_path / "in" / "index.json").write_text(listing("index.json", "gone.bin", GOOD))
    assert verify_checksums(tmp_path) == 0


@pytest.mark.parametrize("content", ["[]", "{", '{"shards": 3, "splits": [1]}', '{"a": "b"}'])
def test_a_list_with_another_format_verifies_nothing(tmp_path: Path, content: str) -> None:
    for name in ("MANIFEST.json", "index.json"):
        (tmp_path / name).write_text(content)
    assert verify_checksums(tmp_path) == 0
