"""Buckets as stores, on two servers that others wrote."""

from __future__ import annotations

from pathlib import Path

import pytest
from tests.s3_servers import Bucket

from tuppence.core.errors import InputError
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


def test_the_age_of_a_file_is_that_of_the_server_s_clock(s3: Bucket) -> None:
    store = s3.store()
    store.put("a", b"x")
    age = store.age("a")
    assert age is not None
    assert -2 < age < 60
    assert store.age("none") is None


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
