"""Files that are complete or absent.

Every file a run leaves goes through here: written to a hidden sibling, flushed to the disk, then renamed. A
kill or a full disk at any moment leaves the old file, or none; never half of one.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import shutil
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError

JSON_LIMIT_BYTES = 64 * 2**20
"""No JSON file that we read is larger than this: tokenizer.json of a 100k vocabulary has about 8 MB."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNWRITABLE = (errno.EACCES, errno.EPERM, errno.EROFS, errno.ENOTDIR, errno.EISDIR, errno.EEXIST)
_NO_SUCH_PLACE = (errno.ENOENT, errno.ENAMETOOLONG, errno.ELOOP)  # /proc/new, a name of 300 letters, links in a circle


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Turns "no space left" and "permission denied" into errors a person can act on.

    Raises:
        OutOfSpaceError: the disk or the quota is full.
        InputError: the place cannot be written.
    """
    try:
        yield
    except OSError as error:
        if error.errno in _FULL:
            raise OutOfSpaceError(
                f"no space left on the disk while writing {path}",
                "free some space and run the same command again: everything written before is intact",
            ) from error
        if error.errno in _UNWRITABLE + _NO_SUCH_PLACE:
            raise InputError(f"cannot write {path}: {error.strerror}", "choose a place that can be written") from error
        raise


@contextlib.contextmanager
def atomic_file(path: Path) -> Iterator[IO[bytes]]:
    """Opens a hidden sibling for writing and renames it to `path` when the block ends well.

    Example:
        >>> import tempfile
        >>> place = Path(tempfile.mkdtemp()) / "note.txt"
        >>> with atomic_file(place) as out:
        ...     _ = out.write(b"whole or absent")
        >>> place.read_text()
        'whole or absent'
    """
    with explain_disk_errors(path):
        path.parent.mkdir(parents=True, exist_ok=True)
        temporary = path.with_name(f".{path.name}.{os.getpid()}.tmp")
        try:
            with temporary.open("wb") as out:
                yield out
                out.flush()
                os.fsync(out.fileno())
            temporary.replace(path)
        except BaseException:
            temporary.unlink(missing_ok=True)
            raise
        fsync_folder(path.parent)


def write_bytes(path: Path, content: bytes) -> None:
    """Writes `content` to `path`, complete or absent."""
    with atomic_file(path) as out:
        out.write(content)


def write_text(path: Path, content: str) -> None:
    """Writes `content` to `path` as UTF-8, complete or absent."""
    write_bytes(path, content.encode())


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, complete or absent. NaN is refused: it is not JSON."""
    write_text(path, json.dumps(value, indent=2, ensure_ascii=False, allow_nan=False) + "\n")


def read_json(path: Path, limit: int = JSON_LIMIT_BYTES) -> Any:
    """Reads a JSON file of at most `limit` bytes.

    Raises:
        InputError: the file is missing or too large.
        CorruptFileError: it is not JSON.
    """
    try:
        size = path.stat().st_size
        if size > limit:
            raise InputError(f"{path} has {size:,} bytes, more than the {limit:,} we read", "is it the right file?")
        return json.loads(path.read_bytes())
    except OSError as error:
        raise InputError(f"cannot read {path}: {error.strerror}", "check the path") from error
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not valid JSON: {error}", "restore the file or make it again") from error


def fsync_folder(folder: Path) -> None:
    """Makes a rename inside `folder` durable (POSIX; Windows has no such call and needs none)."""
    if os.name != "posix":
        return
    descriptor = os.open(folder, os.O_RDONLY)
    try:
        os.fsync(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flushes a file that another library wrote to the disk."""
    with path.open("rb") as handle:
        os.fsync(handle.fileno())


def sha256_file(path: Path) -> str:
    """The hex sha256 of a file, read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    with path.open("rb") as handle:
        while block := handle.read(2**20):
            digest.update(block)
    return digest.hexdigest()


def commit_folder(temporary: Path, final: Path) -> None:
    """Renames a finished temporary folder to its final name, replacing what stood there.

    The replaced folder is moved aside first and removed last, so that a kill in between loses neither. Its files get
    the permissions that files get here (umask); safetensors makes its own for the owner alone.
    """
    with explain_disk_errors(final):
        permissions = temporary.stat().st_mode & 0o666  # a new folder's are the umask's
        for path in temporary.rglob("*"):
            if path.is_file():
                path.chmod(permissions)
                fsync_file(path)
        fsync_folder(temporary)
        final.parent.mkdir(parents=True, exist_ok=True)
        aside = final.with_name(f".{final.name}.{os.getpid()}.old")
        if final.exists():
            final.replace(aside)
        temporary.replace(final)
        fsync_folder(final.parent)
        shutil.rmtree(aside, ignore_errors=True)
