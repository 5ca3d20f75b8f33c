"""Reading objects of S3, on two servers that others wrote. What is read was written with plain boto3."""

from __future__ import annotations

import os
from pathlib import Path

import pytest
from tests.s3_servers import Bucket

from tuppence.core.errors import CorruptFileError


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
