"""What SageMaker copies between S3 and a container: input channels, results, and the mirror of the checkpoint folder.

The mirror keeps no promise beyond the documentation: it copies files in any order, also half-written ones, and deletes
in S3 what was deleted in the folder.
"""

from __future__ import annotations

import contextlib
import json
import posixpath
import random
import tarfile
import threading
from collections.abc import Iterable, Iterator
from dataclasses import dataclass
from pathlib import Path
from typing import Any
from urllib.parse import urlsplit


class TransferError(Exception):
    """A transfer that fails on AWS too; the text becomes the FailureReason."""


class AbandonedError(Exception):
    """A transfer that was told to end."""


@dataclass(frozen=True)
class S3:
    """Whole objects of S3, with a flag that ends a transfer between two objects."""

    client: Any
    abandoned: threading.Event

    def list(self, url: str) -> Iterator[tuple[str, str]]:
        """Yields key and ETag of all objects whose key begins with the key of a URL."""
        bucket, prefix = split(url)
        for page in self.client.get_paginator("list_objects_v2").paginate(Bucket=bucket, Prefix=prefix):
            for entry in page.get("Contents", []):
                yield entry["Key"], entry["ETag"]

    def read(self, url: str) -> bytes:
        bucket, key = split(url)
        return bytes(self.client.get_object(Bucket=bucket, Key=key)["Body"].read())

    def download(self, bucket: str, key: str, path: Path) -> None:
        self._check()
        path.parent.mkdir(parents=True, exist_ok=True)
        self.client.download_file(bucket, key, str(path))

    def upload(self, path: Path, url: str) -> None:
        self._check()
        bucket, key = split(url)
        self.client.upload_file(str(path), bucket, key)

    def delete(self, url: str) -> None:
        bucket, key = split(url)
        self.client.delete_object(Bucket=bucket, Key=key)

    def _check(self) -> None:
        if self.abandoned.is_set():
            raise AbandonedError


def split(url: str) -> tuple[str, str]:
    """Bucket and key of an s3:// URL.

    Example:
        >>> split("s3://bucket/a/b c")
        ('bucket', 'a/b c')
    """
    parts = urlsplit(url, allow_fragments=False)
    return parts.netloc, url.partition(f"{parts.netloc}/")[2]


def keys_of(s3: S3, source: dict[str, Any]) -> list[tuple[str, str]]:
    """Key and name in the channel's folder of each object of a data source, sorted by key.

    Args:
        source: S3DataSource of a channel, or S3Input of a processing job.

    Raises:
        TransferError: the manifest cannot be used, or a key leaves the folder.
    """
    url = source["S3Uri"]
    prefix = split(url)[1]
    if source.get("S3DataType") == "ManifestFile":
        try:
            first, *names = json.loads(s3.read(url))
            found = [(split(first["prefix"] + name)[1], name) for name in names]
        except (ValueError, TypeError, KeyError) as error:
            raise TransferError(f"ClientError: Data download failed: {url} is not a manifest") from error
    else:
        folder = f"{prefix.rstrip('/')}/"
        above = prefix.rpartition("/")[0]
        found = []
        for key, _ in s3.list(url):
            below = key.removeprefix(folder) if prefix and key.startswith(folder) else key.removeprefix(above)
            found.append((key, below.lstrip("/")))
    found = [(key, name) for key, name in sorted(found) if name and not name.endswith("/")]
    for key, name in found:
        if posixpath.normpath(name).startswith("..") or posixpath.isabs(name):
            raise TransferError(f"ClientError: Data download failed: the key {key[:200]!r} leaves the folder")
    return found


def download_source(s3: S3, source: dict[str, Any], folder: Path, host: int, hosts: int) -> None:
    """Copies a data source into a folder; of one that is sharded by key, every `hosts`-th object from `host` (from 0).

    Raises:
        TransferError: there is no object.
    """
    bucket = split(source["S3Uri"])[0]
    found = keys_of(s3, source)
    if not found:
        raise TransferError(f"ClientError: Data download failed: no S3 objects found under {source['S3Uri']}")
    if source.get("S3DataDistributionType") == "ShardedByS3Key":
        found = found[host::hosts]
    folder.mkdir(parents=True, exist_ok=True)
    for key, name in found:
        s3.download(bucket, key, folder / name)


def upload_folder(s3: S3, folder: Path, url: str) -> None:
    """Copies all files of a folder to a prefix."""
    for path in files_in(folder):
        s3.upload(path, f"{url.rstrip('/')}/{path.relative_to(folder).as_posix()}")


def upload_archive(s3: S3, folders: Iterable[Path], url: str, temporary: Path) -> bool:
    """Copies the files of folders to one .tar.gz in S3; of a name in several, the first. False if there is no file."""
    seen: set[str] = set()
    archive = temporary / posixpath.basename(url)
    with tarfile.open(archive, "w:gz", compresslevel=1) as tar:
        for folder in folders:
            for path in files_in(folder):
                name = path.relative_to(folder).as_posix()
                if name not in seen:
                    seen.add(name)
                    tar.add(path, name, recursive=False)
    if seen:
        s3.upload(archive, url)
    archive.unlink()
    return bool(seen)


def files_in(folder: Path) -> list[Path]:
    """All regular files of a folder, sorted; links are not followed."""
    return sorted(path for path in folder.rglob("*") if path.is_file() and not path.is_symlink())


class Mirror:
    """Mirrors a checkpoint folder to S3 while a container runs.

    Args:
        seed: of the order of the copies.
    """

    def __init__(self, s3: S3, folder: Path, url: str, seed: int) -> None:
        self.s3, self.folder, self.url = s3, folder, url.rstrip("/")
        self._chance = random.Random(seed)
        self._copied: dict[str, tuple[int, int]] = {}

    def restore(self) -> None:
        """Copies S3's objects into the folder, before the container starts."""
        bucket, prefix = split(f"{self.url}/")
        for key, _ in self.s3.list(f"{self.url}/"):
            name = key.removeprefix(prefix)
            if name and not name.endswith("/") and not posixpath.normpath(name).startswith(".."):
                path = self.folder / name
                self.s3.download(bucket, key, path)
                self._copied[name] = _state(path)

    def synchronize(self) -> None:
        """Copies what is new or changed, and deletes in S3 what the folder has no more."""
        paths = {path.relative_to(self.folder).as_posix(): path for path in files_in(self.folder)}
        names = sorted(paths)
        self._chance.shuffle(names)
        for name in names:
            with contextlib.suppress(FileNotFoundError):  # deleted or renamed meanwhile
                state = _state(paths[name])
                if self._copied.get(name) != state:
                    self.s3.upload(paths[name], f"{self.url}/{name}")
                    self._copied[name] = state
        for name in sorted(self._copied.keys() - paths.keys()):
            self.s3.delete(f"{self.url}/{name}")
            del self._copied[name]


def _state(path: Path) -> tuple[int, int]:
    about = path.stat()
    return about.st_mtime_ns, about.st_size
