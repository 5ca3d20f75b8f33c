"""Reads objects of S3: a seekable stream, and a copy to a file.

Connections break. A body that ends early is asked for again from the last byte that arrived, of the same version of the
object. boto3 compares a checksum only for whole objects that were written in one part; bits that were flipped in ranges
and in multipart objects pass. So the sha256 that `s3_writing` stores beside each object is compared too.
"""

from __future__ import annotations

import contextlib
import hashlib
import io
import os
import threading
import time
from collections.abc import Callable
from concurrent.futures import ThreadPoolExecutor
from dataclasses import dataclass
from pathlib import Path
from typing import Any

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.storage.aws_errors import AwsError, explain_aws_error

PART_BYTES = 8 * 2**20
"""Of uploads and downloads; each thread has one part in memory."""
THREADS = 4
SHA256_KEY, NONCE_KEY = "tuppence-sha256", "tuppence-nonce"
"""Names of the metadata of our objects."""
ATTEMPTS = 6
"""Requests without a byte of progress before reading fails; boto3 retries each of them by itself."""
FIRST_PAUSE_SECONDS = 0.1
_BLOCK_BYTES = 2**20
_FIRST_WINDOW, _LARGEST_WINDOW = 2**18, 64 * 2**20
_BUFFER_BYTES = _FIRST_WINDOW
"""A whole first window: a body that is read to its end leaves its connection for the next request."""
_SKIP_BYTES = 2**18
"""A seek forward by at most this much reads on instead of asking again."""


@dataclass(frozen=True)
class S3Object:
    """One version of an object.

    Attributes:
        location: for messages.
        sha256: what the metadata say; None for an object that others wrote.
        nonce: of the conditional write that made it.
    """

    bucket: str
    key: str
    location: str
    size: int
    version: str
    sha256: str | None = None
    nonce: str | None = None

    @classmethod
    def of_answer(cls, bucket: str, key: str, location: str, answer: dict[str, Any]) -> S3Object:
        """The object that HeadObject or GetObject describes."""
        metadata = answer.get("Metadata") or {}
        size, version = int(answer["ContentLength"]), str(answer["ETag"])
        return cls(bucket, key, location, size, version, metadata.get(SHA256_KEY), metadata.get(NONCE_KEY))


def pause(attempt: int) -> None:
    """Waits before another attempt: 0.1 s, 0.2 s, 0.4 s …"""
    time.sleep(FIRST_PAUSE_SECONDS * 2**attempt)


class S3Stream(io.RawIOBase):
    """The content of one version of an object. `open_stream` buffers it.

    Args:
        window: bytes of the first request after a seek. Later requests ask for twice as many as the one before, so that
            random access does not transfer much, and sequential access needs few requests.
    """

    def __init__(self, client: Any, found: S3Object, *, body: Any = None, window: int = _FIRST_WINDOW) -> None:
        super().__init__()
        self._client, self.found = client, found
        self._body, self._body_at, self._body_end = body, 0, found.size
        self._position, self._first_window, self._window = 0, window, window
        self._digest, self._hashed = hashlib.sha256(), 0

    def readable(self) -> bool:
        return True

    def seekable(self) -> bool:
        return True

    def tell(self) -> int:
        return self._position

    def seek(self, offset: int, whence: int = os.SEEK_SET) -> int:
        start = {os.SEEK_SET: 0, os.SEEK_CUR: self._position, os.SEEK_END: self.found.size}[whence]
        self._position = max(0, start + offset)
        return self._position

    def close(self) -> None:
        if not self.closed:
            self._drop_body()
        super().close()

    def readinto(self, buffer: Any) -> int:
        """Reads at least one byte, or 0 at the end.

        Raises:
            AwsError: the object cannot be reached.
            InputError: the object has changed since it was opened.
            CorruptFileError: the content differs from its checksum.
        """
        wanted = min(len(buffer), self.found.size - self._position)
        if wanted <= 0:
            return 0
        failure: Exception | None = None
        for attempt in range(ATTEMPTS):
            if attempt:
                pause(attempt - 1)
            try:
                chunk = self._read(wanted)
            except AwsError:
                raise
            except Exception as error:
                if not is_cut(error):
                    raise
                chunk, failure = b"", error
            if chunk:
                buffer[: len(chunk)] = chunk
                self._count(chunk)
                return len(chunk)
            self._drop_body()
        if failure is not None:
            raise explain_aws_error(failure, "s3", "GetObject", self.found.location) from failure
        raise CorruptFileError(f"{self.found.location} ends after {self._position:,} bytes", "try again")

    def _read(self, wanted: int) -> bytes:
        """Reads from the present body, or from a new one."""
        gap = self._position - self._body_at
        if self._body is not None and (not 0 <= gap <= _SKIP_BYTES or self._position >= self._body_end):
            self._drop_body()
        if self._body is None:
            self._ask()
        while self._body_at < self._position:
            skipped = self._body.read(self._position - self._body_at)
            if not skipped:
                return b""
            self._body_at += len(skipped)
        chunk: bytes = self._body.read(min(wanted, self._body_end - self._body_at))
        self._body_at += len(chunk)
        return chunk

    def _ask(self) -> None:
        self._window = self._window * 2 if self._position == self._body_end else self._first_window
        end = min(self._position + min(self._window, max(_LARGEST_WINDOW, self._first_window)), self.found.size)
        self._body = get_object(self._client, self.found, f"bytes={self._position}-{end - 1}")["Body"]
        self._body_at, self._body_end = self._position, end

    def _drop_body(self) -> None:
        if self._body is not None:
            with contextlib.suppress(Exception):
                self._body.close()
            self._body = None

    def _count(self, chunk: bytes) -> None:
        """Hashes what is read in order from the beginning, and compares the sum at the end."""
        if self._position == 0 and self._hashed:
            self._digest, self._hashed = hashlib.sha256(), 0
        if self._position == self._hashed:
            self._digest.update(chunk)
            self._hashed += len(chunk)
        self._position += len(chunk)
        if self._hashed == self.found.size and self._position == self._hashed:
            require_sha256(self.found, self._digest.hexdigest())


def open_stream(client: Any, bucket: str, key: str, location: str) -> io.BufferedReader:
    """Opens an object for reading.

    Raises:
        AwsError: it does not exist, or cannot be reached.
    """
    answer = client.get_object(Bucket=bucket, Key=key)
    found = S3Object.of_answer(bucket, key, location, answer)
    return io.BufferedReader(S3Stream(client, found, body=answer["Body"]), _BUFFER_BYTES)


def copy_to_file(client: Any, found: S3Object, path: Path, on_bytes: Callable[[int], object] | None = None) -> str:
    """Copies an object to a new file, large ones in parts at the same time; returns the sha256.

    Raises:
        CorruptFileError: the content differs from its checksum. No file is left.
    """
    digest, told = hashlib.sha256(), threading.Lock()

    def copy_part(start: int) -> int:
        end = min(start + PART_BYTES, found.size)
        with S3Stream(client, found, window=PART_BYTES) as stream:
            stream.seek(start)
            block = memoryview(bytearray(_BLOCK_BYTES))
            at = start
            while at < end:
                read = stream.readinto(block[: end - at])
                if not read:
                    raise CorruptFileError(f"{found.location} ends after {at:,} bytes", "try again")
                _write_at(descriptor, block[:read], at)
                at += read
                if on_bytes is not None:
                    with told:
                        on_bytes(read)
        return end

    descriptor = os.open(path, os.O_RDWR | os.O_CREAT | os.O_EXCL | os.O_CLOEXEC, 0o666)
    try:
        with ThreadPoolExecutor(THREADS) as pool:
            parts = [pool.submit(copy_part, start) for start in range(0, found.size, PART_BYTES)]
            try:
                hashed = 0
                for part in parts:
                    end = part.result()
                    while hashed < end:
                        block = os.pread(descriptor, min(_BLOCK_BYTES, end - hashed), hashed)
                        digest.update(block)
                        hashed += len(block)
            except BaseException:
                pool.shutdown(wait=True, cancel_futures=True)
                raise
        require_sha256(found, digest.hexdigest())
    except BaseException:
        path.unlink(missing_ok=True)
        raise
    finally:
        os.close(descriptor)
    return digest.hexdigest()


def get_object(client: Any, found: S3Object, bytes_range: str) -> Any:
    """Asks for a range of one version of an object.

    Raises:
        InputError: the object has another version now.
    """
    try:
        return client.get_object(Bucket=found.bucket, Key=found.key, Range=bytes_range, IfMatch=found.version)
    except AwsError as error:
        if error.is_conflict or error.is_missing:
            raise InputError(
                f"{found.location} changed while it was read", "try again when nothing writes there"
            ) from error
        raise


def require_sha256(found: S3Object, digest: str) -> None:
    """Compares the sha256 of an object's content with the one in its metadata.

    Raises:
        CorruptFileError: they differ.
    """
    if found.sha256 is not None and digest != found.sha256:
        raise CorruptFileError(f"{found.location} arrived damaged: its sha256 is not the recorded one", "try again")


def is_cut(error: Exception) -> bool:
    """Whether an exception means that a body ended early, and not that the program is wrong.

    Raises:
        CorruptFileError: boto3's own checksum did not match.
    """
    from botocore.exceptions import BotoCoreError, FlexibleChecksumError
    from urllib3.exceptions import HTTPError

    if isinstance(error, FlexibleChecksumError):
        raise CorruptFileError("an object arrived damaged: its checksum is not the recorded one", "try again")
    return isinstance(error, BotoCoreError | HTTPError | OSError)


def _write_at(descriptor: int, block: memoryview, at: int) -> None:
    while block:
        written = os.pwrite(descriptor, block, at)
        block, at = block[written:], at + written
