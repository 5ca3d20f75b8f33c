"""Buckets as stores, on two servers that others wrote. What is written is read back with plain boto3."""

from __future__ import annotations

import hashlib
import os
import threading
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path

import pytest
from tests.s3_servers import Bucket

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage import AwsError, open_store, stage
from tuppence.storage.store import RemoteStore


def test_files_below_a_prefix_are_listed_and_described(s3: Bucket) -> None:
    for key in ("run/b.txt", "run/a/deep.txt", "run/.hidden", "run/a/", "runner/no.txt", "run"):
        s3.server.client().put_object(Bucket=s3.name, Key=key, Body=key.encode())
    store = open_store(f"{s3.url}/run/")
    assert isinstance(store, RemoteStore)
    assert [(entry.name, entry.size) for entry in store.list()] == [("a/deep.txt", 14), ("b.txt", 9)]
    assert [entry.name for entry in store.list(enter=lambda folder: folder != "a")] == ["b.txt"]
    described = store.describe("b.txt")
    assert described == next(entry for entry in store.list() if entry.name == "b.txt")
    assert store.describe("none") is None
    assert store.describe("") is not None
    assert (store.is_folder(), store.is_folder("a"), store.is_folder("b.txt")) == (True, True, False)
    assert open_store(s3.url).is_folder()


def test_a_stream_can_be_read_in_any_order(s3: Bucket) -> None:
    content = os.urandom(3_000_000)
    s3.server.client().put_object(Bucket=s3.name, Key="k", Body=content)
    with s3.store().open("k") as stream:
        assert stream.read(10) == content[:10]
        for start in (2_999_990, 5, 1_500_000, 1_500_100, 0):
            stream.seek(start)
            assert stream.read(1000) == content[start : start + 1000]
        stream.seek(-5, os.SEEK_END)
        assert stream.read() == content[-5:]
        assert stream.read(1) == b""
        stream.seek(0)
        assert stream.read() == content


def test_an_upload_in_parts_arrives_whole_and_is_downloaded_whole(
    s3: Bucket, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("tuppence.storage.s3_writing.PART_BYTES", 5 * 2**20)
    monkeypatch.setattr("tuppence.storage.s3_reading.PART_BYTES", 2**21)
    content = os.urandom(11_000_000)
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
    monkeypatch.setattr("tuppence.storage.s3_writing.PART_BYTES", 5 * 2**20)
    monkeypatch.setattr("tuppence.storage.s3_writing.THREADS", 1)
    content = os.urandom(11_000_000)
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


def test_bits_that_were_flipped_at_rest_are_noticed(moto_s3: Bucket, tmp_path: Path) -> None:
    store = moto_s3.store()
    (tmp_path / "a").write_bytes(b"content")
    store.upload(tmp_path / "a", "a")
    metadata = moto_s3.server.client().head_object(Bucket=moto_s3.name, Key="a")["Metadata"]
    moto_s3.server.client().put_object(Bucket=moto_s3.name, Key="a", Body=b"cOntent", Metadata=metadata)
    with pytest.raises(CorruptFileError, match=r"s3://.*/a arrived damaged"), store.open("a") as stream:
        stream.read()
    with pytest.raises(CorruptFileError, match=r"s3://.*/a arrived damaged"):
        store.download("a", tmp_path / "copy")
    assert not (tmp_path / "copy").exists()


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
        list(pool.map(increment, range(20)))
    assert s3.contents() == {"count": b"20"}
    assert store.replace_if("absent", b"", '"0"') is None


def test_names_are_deleted_and_missing_ones_are_no_error(s3: Bucket) -> None:
    store = s3.store("d")
    for name in ("a", "b", "c"):
        store.put(name, b"x")
    store.delete("a", "b", "none")
    assert list(s3.contents()) == ["d/c"]
    store.delete()


def test_what_is_missing_or_denied_is_one_line(moto_s3: Bucket, monkeypatch: pytest.MonkeyPatch) -> None:
    with pytest.raises(AwsError, match=rf"^s3://{moto_s3.name}/none does not exist$"):
        moto_s3.store().open("none")
    with pytest.raises(InputError, match="there is no such bucket"):
        stage("s3://no-such-bucket-here/key")
    with pytest.raises(InputError, match="'Up_Per' is no name of a bucket"):
        open_store("s3://Up_Per/key")
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-0123456789")
    with pytest.raises(AwsError) as caught:
        list(moto_s3.store().list())
    assert caught.value.code == "SignatureDoesNotMatch"
    assert "wrong-secret" not in str(caught.value)


def test_a_folder_is_staged_from_s3(s3: Bucket, tmp_path: Path) -> None:
    (tmp_path / "tok").mkdir()
    (tmp_path / "tok" / "a.txt").write_bytes(b"a")
    copy = stage(s3.put(tmp_path / "tok", "deep/tok"))
    assert (copy / "a.txt").read_bytes() == b"a"
    assert stage(f"{s3.url}/deep/tok/a.txt").read_bytes() == b"a"
    assert stage(s3.url).name == "copy"
