"""Writes objects of S3: conditional writes, and uploads in parts that continue where they were interrupted.

An answer can get lost after S3 has done what was asked. boto3 then asks again, and a conditional write that had
succeeded is reported as a conflict. So every write has a nonce in the object's metadata: after a conflict, the object
is looked at, and if it has our nonce, the write succeeded.

The sha256 of the whole content is in the metadata, for readers. Each request also has the sha256 of what it carries,
which S3 compares before it keeps anything. Not every server that speaks S3's protocol does, so the version of a small
object, which is mostly the MD5 of its content, is compared too, and the object is read back where it is something else.
Large files are read back by `mirror`.
"""

from __future__ import annotations

import base64
import contextlib
import hashlib
import json
import math
import uuid
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from pathlib import Path
from typing import Any

from tuppence.core.cache import cache_folder
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json, sha256_file, write_json
from tuppence.storage.aws_errors import AwsError
from tuppence.storage.s3_reading import ATTEMPTS, NONCE_KEY, PART_BYTES, SHA256_KEY, THREADS, S3Object, is_cut, pause

MOST_PARTS = 10_000
_DAMAGED_ON_THE_WAY = ("BadDigest", "XAmzContentSHA256Mismatch", "InvalidDigest", "IncompleteBody", "RequestTimeout")

Look = Callable[[], S3Object | None]
"""Returns what is stored under the key now."""


def put_on_condition(
    client: Any, bucket: str, key: str, content: bytes, condition: dict[str, str], look: Look
) -> str | None:
    """Writes an object if a condition holds; returns its version, or None if the condition does not hold.

    Args:
        condition: `{"IfNoneMatch": "*"}`, `{"IfMatch": VERSION}`, or {} to write in any case.
        look: describes the object of this key.
    """
    nonce, digest = uuid.uuid4().hex, hashlib.sha256(content)
    request = {
        "Bucket": bucket,
        "Key": key,
        "Body": content,
        "ChecksumSHA256": base64.b64encode(digest.digest()).decode(),
        "Metadata": {SHA256_KEY: digest.hexdigest(), NONCE_KEY: nonce},
    }
    failure: AwsError | CorruptFileError | None = None
    for attempt in range(ATTEMPTS):
        if attempt:
            pause(attempt - 1)
        try:
            version = str(client.put_object(**request, **condition)["ETag"])
            if _has_arrived(client, bucket, key, content, version):
                return version
            condition = {"IfMatch": version}
            failure = CorruptFileError(f"s3://{bucket}/{key} arrives damaged each time", "try again")
        except AwsError as error:
            failed_condition = error.status == 412 or ("IfMatch" in condition and error.is_missing)
            if not (failed_condition or error.is_conflict or _is_worth_another_try(error)):
                raise
            failure = error
            found = look()
            if found is not None and found.nonce == nonce:
                if _has_arrived(client, bucket, key, content, found.version):
                    return found.version
                condition = {"IfMatch": found.version}
            elif failed_condition:
                return None
    assert failure is not None
    raise failure


def upload_file(
    client: Any, path: Path, target: S3Object, *, sha256: str | None, if_absent: bool, look: Look
) -> str | None:
    """Uploads a file, in parts if it is large; returns the version, or None if there is an object already.

    Args:
        target: bucket, key and location; its other fields are not used.
        sha256: what the file must have.
        if_absent: whether an existing object is left as it is.
        look: describes the object of this key.

    Raises:
        CorruptFileError: the file has another sha256.
    """
    condition = {"IfNoneMatch": "*"} if if_absent else {}
    version = _version_of(path)
    if version[1] <= PART_BYTES:
        content = path.read_bytes()
        _require_content(path, hashlib.sha256(content).hexdigest(), sha256)
        return put_on_condition(client, target.bucket, target.key, content, condition, look)
    digest = sha256_file(path)
    _require_content(path, digest, sha256)
    return _Upload(client, path, version, target, digest, look).run(condition)


class _Upload:
    """One file that is uploaded in parts.

    Its id is kept in the user's cache until it is complete, so that the same command continues it. Only parts whose
    sha256 equals that of the file's are kept.
    """

    def __init__(
        self, client: Any, path: Path, version: tuple[int, int], target: S3Object, sha256: str, look: Look
    ) -> None:
        self._client, self._path, self._target, self._sha256, self._look = client, path, target, sha256, look
        self._size, self._part_bytes = version[1], max(PART_BYTES, math.ceil(version[1] / MOST_PARTS))
        self._version = version
        self._where = {"Bucket": target.bucket, "Key": target.key}
        self._note = _note_file(target.location, sha256, self._part_bytes)
        self._id = self._nonce = ""
        self._there: dict[int, dict[str, Any]] = {}

    def run(self, condition: dict[str, str]) -> str | None:
        """Uploads the parts that are not there yet, and completes the upload."""
        for attempt in range(2):
            if not self._continue():
                self._begin()
            try:
                parts = self._send_parts()
                version = self._complete(parts, condition)
            except AwsError as error:
                if error.code == "NoSuchUpload" and attempt == 0:  # it expired, or another process completed it
                    self._forget()
                    continue
                raise
            self._forget()
            return version
        raise AssertionError("not reached")

    def _continue(self) -> bool:
        """Finds the parts of an earlier attempt."""
        if self._note is None or not self._note.exists():
            return False
        try:
            noted = read_json(self._note)
            self._id, self._nonce = str(noted["id"]), str(noted["nonce"])
            pages = self._client.get_paginator("list_parts").paginate(**self._where, UploadId=self._id)
            self._there = {part["PartNumber"]: part for page in pages for part in page.get("Parts", [])}
        except (InputError, KeyError, TypeError):  # AwsError is an InputError
            self._forget()
            return False
        return True

    def _begin(self) -> None:
        self._nonce, self._there = uuid.uuid4().hex, {}
        metadata = {SHA256_KEY: self._sha256, NONCE_KEY: self._nonce}
        answer = self._client.create_multipart_upload(**self._where, Metadata=metadata, ChecksumAlgorithm="SHA256")
        self._id = answer["UploadId"]
        if self._note is not None:
            with contextlib.suppress(InputError, OSError):
                write_json(self._note, {"id": self._id, "nonce": self._nonce})

    def _forget(self) -> None:
        if self._note is not None:
            with contextlib.suppress(OSError):
                self._note.unlink(missing_ok=True)

    def _send_parts(self) -> list[dict[str, Any]]:
        with ThreadPoolExecutor(THREADS) as pool:
            starts = range(0, self._size, self._part_bytes)
            sent = [pool.submit(self._send, number, start) for number, start in enumerate(starts, 1)]
            try:
                parts = [part.result() for part in sent]
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        if _version_of(self._path) != self._version:
            raise CorruptFileError(f"{self._path} changed while it was read", "try again when nothing writes there")
        return parts

    def _send(self, number: int, start: int) -> dict[str, Any]:
        """Sends one part unless it is there; returns what completes the upload."""
        with self._path.open("rb") as stream:
            stream.seek(start)
            content = stream.read(self._part_bytes)
        checksum = base64.b64encode(hashlib.sha256(content).digest()).decode()
        there = self._there.get(number)
        if there is not None and there.get("Size") == len(content) and _is_same(there, content, checksum):
            return {"PartNumber": number, "ETag": there["ETag"], "ChecksumSHA256": checksum}
        request = {**self._where, "UploadId": self._id, "PartNumber": number}
        for attempt in range(ATTEMPTS):
            try:
                answer = self._client.upload_part(**request, Body=content, ChecksumSHA256=checksum)
            except AwsError as error:
                if attempt + 1 == ATTEMPTS or not _is_worth_another_try(error):
                    raise
                pause(attempt)
            else:
                return {"PartNumber": number, "ETag": answer["ETag"], "ChecksumSHA256": checksum}
        raise AssertionError("not reached")

    def _complete(self, parts: list[dict[str, Any]], condition: dict[str, str]) -> str | None:
        request = {**self._where, "UploadId": self._id, "MultipartUpload": {"Parts": parts}, **condition}
        for attempt in range(ATTEMPTS):
            try:
                return str(self._client.complete_multipart_upload(**request)["ETag"])
            except AwsError as error:
                found = self._look()
                if found is not None and found.nonce == self._nonce:
                    return found.version
                if error.status == 412:
                    with contextlib.suppress(AwsError):
                        self._client.abort_multipart_upload(**self._where, UploadId=self._id)
                    return None
                if attempt + 1 == ATTEMPTS or not (error.is_conflict or _is_worth_another_try(error)):
                    raise
                pause(attempt)
        raise AssertionError("not reached")


def _has_arrived(client: Any, bucket: str, key: str, content: bytes, version: str) -> bool:
    """Whether the object of this version has this content; also True if another write has replaced it since."""
    if version.strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest():
        return True
    try:
        return bool(client.get_object(Bucket=bucket, Key=key, IfMatch=version)["Body"].read() == content)
    except AwsError as error:
        if error.is_conflict or error.is_missing:
            return True
        raise
    except Exception as error:
        if is_cut(error):
            return False
        raise


def _is_worth_another_try(error: AwsError) -> bool:
    return error.is_temporary or error.code in _DAMAGED_ON_THE_WAY


def _is_same(part: dict[str, Any], content: bytes, checksum: str) -> bool:
    if part.get("ChecksumSHA256"):
        return bool(part["ChecksumSHA256"] == checksum)
    return bool(part["ETag"].strip('"') == hashlib.md5(content, usedforsecurity=False).hexdigest())


def _require_content(path: Path, digest: str, expected: str | None) -> None:
    if expected is not None and digest != expected:
        raise CorruptFileError(f"{path} is damaged, or changed while it was read: its sha256 is another one", "")


def _version_of(path: Path) -> tuple[int, int]:
    """Modification time and size of a file; they change when the file does."""
    facts = path.stat()
    return facts.st_mtime_ns, facts.st_size


def _note_file(location: str, sha256: str, part_bytes: int) -> Path | None:
    """The file that keeps the id of an upload; None for a user without a home folder."""
    cache = cache_folder()
    name = hashlib.sha256(json.dumps([location, sha256, part_bytes]).encode()).hexdigest()[:32]
    return None if cache is None else cache / "uploads" / f"{name}.json"
