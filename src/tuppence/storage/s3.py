"""Buckets of S3 as stores: `s3://bucket/prefix`. boto3 is imported when a store is used first.

There are no folders in S3 but common prefixes of keys. Nothing is cached here: a listing is as new as S3's answer.
"""

from __future__ import annotations

import contextlib
import hashlib
import re
from collections.abc import Callable, Iterator
from email.utils import parsedate_to_datetime
from pathlib import Path
from typing import Any, BinaryIO

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage.aws_client import client
from tuppence.storage.aws_errors import AwsError
from tuppence.storage.s3_reading import S3Object, copy_to_file, open_stream
from tuppence.storage.s3_writing import put_on_condition, upload_file
from tuppence.storage.store import Entry

_BUCKET = re.compile(r"[a-z0-9][a-z0-9.-]{1,61}[a-z0-9]")
_LONGEST_KEY = 1024
_MOST_DELETED_AT_ONCE = 1000
_BLOCK_BYTES = 2**20
_READS = 3


class S3Store:
    """The objects below a URL. The methods are documented in `Store` and `RemoteStore`.

    Args:
        url: `s3://bucket` or `s3://bucket/prefix`.

    Raises:
        InputError: the name of the bucket is not possible.
        MissingExtraError: boto3 is not installed.
    """

    def __init__(self, url: str) -> None:
        self.url = url.rstrip("/")
        self._bucket, _, self._prefix = self.url.removeprefix("s3:").lstrip("/").partition("/")
        if not _BUCKET.fullmatch(self._bucket):
            raise InputError(
                f"{url}: {self._bucket!r} is no name of a bucket", "write s3://BUCKET/KEY; names have 3 to 63 signs"
            )
        self._client = client("s3")

    def describe(self, name: str) -> Entry | None:
        found = self._look(name)
        return None if found is None else Entry(name, found.size, found.version)

    def is_folder(self, name: str = "") -> bool:
        with self._about(name):
            answer = self._client.list_objects_v2(Bucket=self._bucket, Prefix=self._below(name), MaxKeys=1)
        return bool(answer.get("Contents"))

    def list(
        self,
        *,
        enter: Callable[[str], bool] | None = None,
        on_unusable: Callable[[str, InputError], object] | None = None,
    ) -> Iterator[Entry]:
        del on_unusable  # S3 describes every object that it lists
        prefix, entered = self._below(""), {"": True}

        def is_entered(folder: str) -> bool:
            if folder not in entered:
                entered[folder] = is_entered(folder.rpartition("/")[0]) and (enter is None or enter(folder))
            return entered[folder]

        with self._about(""):
            pages = self._client.get_paginator("list_objects_v2").paginate(Bucket=self._bucket, Prefix=prefix)
            for page in pages:
                for one in page.get("Contents", []):
                    name = str(one["Key"]).removeprefix(prefix)
                    folder, _, last = name.rpartition("/")
                    if not last or _is_hidden(name) or not is_entered(folder):  # "folder/" marks an empty folder
                        continue
                    yield Entry(name, int(one["Size"]), str(one["ETag"]))

    def open(self, name: str) -> BinaryIO:
        with self._about(name):
            return open_stream(self._client, self._bucket, self._key(name), self._location(name))

    def download(self, name: str, path: Path, *, on_bytes: Callable[[int], object] | None = None) -> str:
        found = self._require(name)
        with self._about(name):
            return copy_to_file(self._client, found, path, on_bytes)

    def sha256(self, name: str) -> str:
        digest = hashlib.sha256()
        with self.open(name) as stream:
            while block := stream.read(_BLOCK_BYTES):
                digest.update(block)
        return digest.hexdigest()

    def read(self, name: str) -> tuple[bytes, str] | None:
        for attempt in range(_READS):
            try:
                with self.open(name) as stream:
                    return stream.read(), stream.raw.found.version  # type: ignore[attr-defined]
            except AwsError as error:
                if error.is_missing:
                    return None
                raise
            except CorruptFileError:  # bits were flipped on the way, or at rest
                if attempt + 1 == _READS:
                    raise
        raise AssertionError("not reached")

    def age(self, name: str) -> float | None:
        with self._about(name):
            try:
                answer = self._client.head_object(Bucket=self._bucket, Key=self._key(name))
            except AwsError as error:
                if error.is_missing:
                    return None
                raise
        now = parsedate_to_datetime(answer["ResponseMetadata"]["HTTPHeaders"]["date"])
        return float((now - answer["LastModified"]).total_seconds())

    def put_if_absent(self, name: str, content: bytes) -> str | None:
        return self._put(name, content, {"IfNoneMatch": "*"})

    def replace_if(self, name: str, content: bytes, version: str) -> str | None:
        return self._put(name, content, {"IfMatch": version})

    def put(self, name: str, content: bytes) -> str:
        version = self._put(name, content, {})
        assert version is not None  # there is no condition
        return version

    def upload(self, path: Path, name: str, *, sha256: str | None = None, if_absent: bool = False) -> Entry | None:
        target = S3Object(self._bucket, self._key(name), self._location(name), 0, "")
        size = path.stat().st_size
        with self._about(name):
            version = upload_file(
                self._client, path, target, sha256=sha256, if_absent=if_absent, look=lambda: self._look(name)
            )
        return None if version is None else Entry(name, size, version)

    def delete(self, *names: str) -> None:
        with self._about(names[0] if len(names) == 1 else ""):
            for start in range(0, len(names), _MOST_DELETED_AT_ONCE):
                some = [{"Key": self._key(name)} for name in names[start : start + _MOST_DELETED_AT_ONCE]]
                answer = self._client.delete_objects(Bucket=self._bucket, Delete={"Objects": some, "Quiet": True})
                for error in answer.get("Errors", []):
                    if error.get("Code") not in ("NoSuchKey", "NoSuchVersion"):
                        said = f"s3 DeleteObjects: {error.get('Message')} ({error.get('Code')})"
                        raise AwsError(f"s3://{self._bucket}/{error.get('Key')}: {said}", "", str(error.get("Code")))

    def _put(self, name: str, content: bytes, condition: dict[str, str]) -> str | None:
        with self._about(name):
            return put_on_condition(
                self._client, self._bucket, self._key(name), content, condition, lambda: self._look(name)
            )

    def _look(self, name: str) -> S3Object | None:
        key = self._key(name)
        if not key:
            return None
        with self._about(name):
            try:
                answer: dict[str, Any] = self._client.head_object(Bucket=self._bucket, Key=key)
            except AwsError as error:
                if error.is_missing:
                    return None
                raise
        return S3Object.of_answer(self._bucket, key, self._location(name), answer)

    def _require(self, name: str) -> S3Object:
        found = self._look(name)
        if found is None:
            raise AwsError(f"{self._location(name)} does not exist", "check the location", "NoSuchKey", 404)
        return found

    @contextlib.contextmanager
    def _about(self, name: str) -> Iterator[None]:
        """Begins the messages of errors with the location."""
        location = self._location(name)
        try:
            yield
        except AwsError as error:
            if error.message.startswith(location):
                raise
            said = (f"{location} does not exist", "check the location") if error.code == "NoSuchKey" else None
            message, hint = said or (f"{location}: {error.message}", error.hint)
            raise AwsError(message, hint, error.code, error.status, error.operation) from error
        except CorruptFileError as error:
            if location in error.message:
                raise
            raise CorruptFileError(f"{location}: {error.message}", error.hint) from error

    def _location(self, name: str) -> str:
        return f"{self.url}/{name}" if name else self.url

    def _below(self, name: str) -> str:
        """The beginning of the keys in a folder."""
        key = self._key(name)
        return f"{key}/" if key else ""

    def _key(self, name: str) -> str:
        """The key of a file.

        Raises:
            InputError: S3 does not take such a long key.
        """
        key = "/".join(part for part in (self._prefix, name) if part)
        if len(key.encode()) > _LONGEST_KEY:
            raise InputError(f"{self._location(name)[:100]}…: the key is longer than {_LONGEST_KEY:,} bytes", "")
        return key


def _is_hidden(name: str) -> bool:
    return any(part.startswith(".") and part != ".." for part in name.split("/"))
