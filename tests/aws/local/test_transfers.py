"""Which objects a channel gets, and the mirror of a checkpoint folder."""

from __future__ import annotations

import threading

import pytest
from tests.aws.local.jobs import objects, put

from tuppence.aws.local.transfers import S3, AbandonedError, Mirror, TransferError, download_source, keys_of


@pytest.fixture
def s3(local):
    sagemaker = local()
    return sagemaker, S3(sagemaker.client("s3"), threading.Event())


def names(s3, uri, kind="S3Prefix"):
    return [name for _, name in keys_of(s3, {"S3Uri": uri, "S3DataType": kind})]


def test_a_prefix_is_a_folder_or_a_beginning_of_names(s3, prefix):
    sagemaker, s3 = s3
    put(sagemaker, prefix, **{"data/a": b"", "data/sub/b": b"", "data-2/c": b"", "data/": b""})
    assert names(s3, f"{prefix}/data/") == ["a", "sub/b"]
    assert names(s3, f"{prefix}/data") == ["data-2/c", "a", "sub/b"]
    assert names(s3, f"{prefix}/data/a") == ["a"]


def test_a_manifest_names_its_objects(s3, prefix):
    sagemaker, s3 = s3
    put(sagemaker, prefix, a=b"", b=b"", manifest=f'[{{"prefix": "{prefix}/"}}, "a", "b"]'.encode())
    assert names(s3, f"{prefix}/manifest", "ManifestFile") == ["a", "b"]
    put(sagemaker, prefix, manifest=f'[{{"prefix": "{prefix}/"}}, "../../a"]'.encode())
    with pytest.raises(TransferError, match="leaves the folder"):
        names(s3, f"{prefix}/manifest", "ManifestFile")


def test_an_abandoned_download_ends_before_the_next_object(s3, prefix, tmp_path):
    sagemaker, s3 = s3
    put(sagemaker, prefix, a=b"1")
    s3.abandoned.set()
    with pytest.raises(AbandonedError):
        download_source(s3, {"S3Uri": prefix}, tmp_path / "data", 0, 1)
    assert not (tmp_path / "data/a").exists()


def test_the_mirror_deletes_in_s3_what_the_folder_has_no_more(s3, prefix, tmp_path):
    sagemaker, s3 = s3
    put(sagemaker, f"{prefix}/checkpoints", old=b"1")
    folder = tmp_path / "checkpoints"
    mirror = Mirror(s3, folder, f"{prefix}/checkpoints", seed=0)
    mirror.restore()
    assert (folder / "old").read_bytes() == b"1"
    put(sagemaker, f"{prefix}/checkpoints", later=b"not copied")
    (folder / "old").unlink()
    (folder / "new").write_bytes(b"2")
    mirror.synchronize()
    assert objects(sagemaker, f"{prefix}/checkpoints") == {"later": b"not copied", "new": b"2"}
