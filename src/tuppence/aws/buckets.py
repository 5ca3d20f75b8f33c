"""What a versioned bucket holds, and emptying it: objects, old versions, delete markers and incomplete uploads.

All of these cost money except the markers, and each of them keeps a bucket from being deleted. `aws s3 ls` shows only
the newest versions. The bucket of the stack and the buckets that the sweep finds are measured and emptied here.
"""

from __future__ import annotations

from collections.abc import Callable, Iterator
from dataclasses import dataclass
from itertools import islice
from typing import Any

from tuppence.core.console import counted
from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

BATCH = 1000
"""Most keys of one DeleteObjects."""

ROUNDS = 5
"""How often a bucket that others still write to is emptied, before it is reported."""


@dataclass(frozen=True)
class Contents:
    """What a bucket holds.

    Attributes:
        objects, bytes: the newest versions.
        old_versions, old_bytes: replaced and deleted ones, which are still billed.
        markers: marks of deletion; they have no size.
        uploads, upload_bytes: incomplete multipart uploads, whose parts are billed.
        complete: whether everything was listed; if not, the numbers are lower bounds.
    """

    objects: int = 0
    bytes: int = 0
    old_versions: int = 0
    old_bytes: int = 0
    markers: int = 0
    uploads: int = 0
    upload_bytes: int = 0
    complete: bool = True

    @property
    def billed_bytes(self) -> int:
        """Bytes that S3 bills for."""
        return self.bytes + self.old_bytes + self.upload_bytes

    @property
    def is_empty(self) -> bool:
        """Whether the bucket can be deleted."""
        return self.complete and not (self.objects or self.old_versions or self.markers or self.uploads)

    def describe(self) -> str:
        """One line for people.

        Example:
            >>> Contents(objects=2, bytes=3_000_000, uploads=1, upload_bytes=500_000).describe()
            '2 objects, 1 incomplete upload; 3.5 MB in all'
        """
        parts = [
            (self.objects, "object"),
            (self.old_versions, "old version"),
            (self.markers, "delete marker"),
            (self.uploads, "incomplete upload"),
        ]
        named = [counted(count, noun) for count, noun in parts if count] or ["empty"]
        size = f"; {size_text(self.billed_bytes)} in all" if self.billed_bytes else ""
        return ("" if self.complete else "at least ") + ", ".join(named) + size


def size_text(count: int) -> str:
    """Returns a number of bytes for people.

    Example:
        >>> size_text(900), size_text(1_500_000), size_text(2_000_000_000)
        ('900 B', '1.5 MB', '2.0 GB')
    """
    if count < 1000:
        return f"{count} B"
    for unit, size in (("kB", 1e3), ("MB", 1e6), ("GB", 1e9)):
        if count < 1000 * size:
            return f"{count / size:.1f} {unit}"
    return f"{count / 1e12:.1f} TB"


def measure(bucket: str, region: str, most_pages: int | None = None) -> Contents:
    """Returns what a bucket holds, from listings of its versions and uploads.

    Args:
        bucket: its name.
        region: where it is.
        most_pages: stop after so many listings of 1,000 versions; None lists everything.

    Raises:
        AwsError: the bucket does not exist, or may not be listed.
    """
    s3 = client("s3", region=region)
    count = dict.fromkeys(("objects", "bytes", "old_versions", "old_bytes", "markers", "uploads", "upload_bytes"), 0)
    pages = iter(s3.get_paginator("list_object_versions").paginate(Bucket=bucket))
    for page in islice(pages, most_pages):
        for version in page.get("Versions", ()):
            newest = bool(version.get("IsLatest"))
            count["objects" if newest else "old_versions"] += 1
            count["bytes" if newest else "old_bytes"] += int(version.get("Size", 0))
        count["markers"] += len(page.get("DeleteMarkers", ()))
    complete = next(pages, None) is None
    for upload in _uploads(s3, bucket):
        count["uploads"] += 1
        count["upload_bytes"] += _upload_size(s3, bucket, upload)
    return Contents(**count, complete=complete)


def empty(bucket: str, region: str, on_deleted: Callable[[int], object] | None = None) -> int:
    """Deletes every version, delete marker and incomplete upload of a bucket, and lists it again to be sure.

    Args:
        bucket: its name.
        region: where it is.
        on_deleted: called with the number of deletions since the last call.

    Returns:
        How many versions, markers and uploads were deleted.

    Raises:
        AwsError: the bucket does not exist, or S3 refuses a deletion.
        InputError: something still writes to the bucket.
    """
    s3 = client("s3", region=region)
    deleted = 0
    for _ in range(ROUNDS):
        before = deleted
        for upload in _uploads(s3, bucket):
            _abort(s3, bucket, upload)
            deleted += 1
        for page in s3.get_paginator("list_object_versions").paginate(Bucket=bucket):
            found = [*page.get("Versions", ()), *page.get("DeleteMarkers", ())]
            keys = [{"Key": one["Key"], "VersionId": one["VersionId"]} for one in found]
            for start in range(0, len(keys), BATCH):
                _delete(s3, bucket, keys[start : start + BATCH])
            deleted += len(keys)
            if on_deleted is not None and keys:
                on_deleted(len(keys))
        if deleted == before:  # a whole round found nothing
            return deleted
    raise InputError(
        f"the bucket {bucket} is not empty after {ROUNDS} rounds of deletions",
        "something still writes to it: stop the jobs that use it, and try again",
    )


def _uploads(s3: Any, bucket: str) -> Iterator[dict[str, Any]]:
    for page in s3.get_paginator("list_multipart_uploads").paginate(Bucket=bucket):
        yield from page.get("Uploads", ())


def _upload_size(s3: Any, bucket: str, upload: dict[str, Any]) -> int:
    pages = s3.get_paginator("list_parts").paginate(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    try:
        return sum(int(part["Size"]) for page in pages for part in page.get("Parts", ()))
    except AwsError as error:
        if error.code == "NoSuchUpload":  # completed or aborted meanwhile
            return 0
        raise


def _abort(s3: Any, bucket: str, upload: dict[str, Any]) -> None:
    try:
        s3.abort_multipart_upload(Bucket=bucket, Key=upload["Key"], UploadId=upload["UploadId"])
    except AwsError as error:
        if error.code != "NoSuchUpload":
            raise


def _delete(s3: Any, bucket: str, keys: list[dict[str, str]]) -> None:
    refused = s3.delete_objects(Bucket=bucket, Delete={"Objects": keys, "Quiet": True}).get("Errors", ())
    for error in refused:  # S3 answers 200 and names the keys that it did not delete
        code, said = error.get("Code", ""), error.get("Message", "")
        raise AwsError(
            f"s3 DeleteObjects: {bucket}/{error.get('Key', '')} was not deleted: {said} ({code})",
            "allow s3:DeleteObject and s3:DeleteObjectVersion in the policy of this user or role",
            code,
            operation="DeleteObjects",
        )
