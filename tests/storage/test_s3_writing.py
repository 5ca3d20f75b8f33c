"""Writing objects of S3, on two servers that others wrote. What is written is read back with plain boto3."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.s3_servers import Bucket

from tuppence.core.errors import CorruptFileError


def test_an_upload_in_parts_arrives_whole_and_is_downloaded_whole(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr("tuppence.storage.s3_writing.PART_BYTES", 40_000)
    monkeypatch.setattr("tuppence.storage.s3_reading.PART_BYTES", 30_000)
    content = os.urandom(110_000)
    (tmp_path / "large").write_bytes(content)
    store = s3.store("deep")
    entry = store.upload(tmp_path / "large", "large")
    assert entry is not None
    assert s3.contents() == {"deep/large": content}
    assert store.describe("large") == entry
    arrived: list[int] = []
    store.download("large", tmp_path / "copy", on_bytes=arrived.append)
    assert (tmp_path / "copy").read_bytes() == content
    assert sum(arrived) == len(content)
    assert store.sha256("large") == hashlib.sha256(content).hexdigest()
    assert store.upload(tmp_path / "large", "large", if_absent=True) is None
    (tmp_path / "none").write_bytes(b"")
    assert store.upload(tmp_path / "none", "none") is not None
    store.download("none", tmp_path / "copy of none")
    assert (tmp_path / "copy of none").read_bytes() == b""


def test_an_interrupted_upload_continues_with_the_parts_that_are_there(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("moto.s3.models.S3_UPLOAD_PART_MIN_SIZE", 1)
    monkeypatch.setattr("tuppence.storage.s3_writing.PART_BYTES", 40_000)
    monkeypatch.setattr("tuppence.storage.s3_writing.THREADS", 1)
    content = os.urandom(110_000)
    (tmp_path / "large").write_bytes(content)
    store, sent = s3.store(), []
    original = store._client.upload_part

    def part(**request: object) -> object:
        sent.append(request["PartNumber"])
        if len(sent) == 3:
            raise KeyboardInterrupt
        return original(**request)

    monkeypatch.setattr(store._client, "upload_part", part, raising=False)
    with pytest.raises(KeyboardInterrupt):
        store.upload(tmp_path / "large", "large")
    assert sent == [1, 2, 3]
    store.upload(tmp_path / "large", "large")
    assert sent == [1, 2, 3, 3], "two parts were there"
    assert s3.contents() == {"large": content}
    uploads = s3.server.client().list_multipart_uploads(Bucket=s3.name)
    assert not uploads.get("Uploads")


def test_a_file_with_another_checksum_is_not_uploaded(s3: Bucket, tmp_path: Path) -> None:
    (tmp_path / "a").write_bytes(b"a")
    with pytest.raises(CorruptFileError, match="sha256 is another one"):
        s3.store().upload(tmp_path / "a", "a", sha256="0" * 64)
    assert s3.contents() == {}


def test_conditional_writes_have_one_winner(s3: Bucket) -> None:
    store, together = s3.store(), threading.Barrier(8)

    def create(number: int) -> str | None:
        together.wait()
        return store.put_if_absent("one", b"%d" % number)

    with ThreadPoolExecutor(8) as pool:
        versions = list(pool.map(create, range(8)))
    assert sum(version is not None for version in versions) == 1
    assert s3.contents() == {"one": b"%d" % next(at for at, version in enumerate(versions) if version)}


def test_no_increment_of_several_writers_is_lost(s3: Bucket) -> None:
    store = s3.store()
    store.put_if_absent("count", b"0")

    def increment(_: int) -> None:
        while True:
            found = store.read("count")
            assert found is not None
            if store.replace_if("count", b"%d" % (int(found[0]) + 1), found[1]) is not None:
                return

    with ThreadPoolExecutor(4) as pool:
        list(pool.map(increment, range(8)))
    assert s3.contents() == {"count": b"8"}
    assert store.replace_if("absent", b"", '"0"') is None
