"""Writes files atomically: a file is complete or absent.

Every file of a run is written to a hidden sibling, flushed to the disk and then renamed. After a kill or on a full disk
there is the old file or no file, but never half a file. `core.folders` does the same for whole folders.

If a disk does not support `fsync` or `chmod` (CIFS, FUSE, some cloud drives), files are written without these calls.
"""

from __future__ import annotations

import contextlib
import errno
import hashlib
import json
import os
import stat
from collections.abc import Iterator
from pathlib import Path
from typing import IO, Any

from tuppence.core import git_lfs
from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError, TuppenceError
from tuppence.core.temporary import is_temporary, remove_litter, temporary_sibling

JSON_LIMIT_BYTES = 64 * 2**20
"""Largest JSON file that we read. The tokenizer.json of a 100k vocabulary has about 8 MB."""

_FULL = (errno.ENOSPC, errno.EDQUOT, errno.EFBIG)
_UNSUPPORTED = (errno.EINVAL, errno.EBADF, errno.ENOSYS, errno.ENOTSUP, errno.EOPNOTSUPP)
"""Errors of calls that a disk does not support. EBADF: the descriptor is read-only, as it is for every folder."""

_HINTS = {
    errno.ENOENT: "check the path",
    errno.ENOTDIR: "a part of the path is a file, not a folder: check the path",
    errno.EISDIR: "this is a folder: give a file",
    errno.ENAMETOOLONG: "give a shorter name",
    errno.ELOOP: "check the path: a link there leads back to itself",
    errno.EMFILE: "allow more open files: ulimit -n 4096",
    errno.ENFILE: "allow more open files: ulimit -n 4096",
    errno.EACCES: "check the permissions of the file and of the folders above it",
    errno.EPERM: "check the permissions of the file and of the folders above it",
}


def explain_os_error(error: OSError, path: Path | str | None = None, *, writing: bool = False) -> TuppenceError:
    """Translates an `OSError` into an error with a message and a hint for the user.

    Args:
        path: the file or folder that could not be used; by default the file of the error.
        writing: whether the program was writing it.

    Returns:
        `OutOfSpaceError` for a full disk or quota, else `InputError`.
    """
    if path is None:
        path = os.fsdecode(error.filename) if isinstance(error.filename, str | bytes) else "a file"
    if error.errno in _FULL:
        return OutOfSpaceError(
            f"no space left on the disk while writing {path}",
            "free some space and run the same command again: everything written before is intact",
        )
    words = error.strerror or str(error) or type(error).__name__
    hint = "choose a place that can be written" if writing else _HINTS.get(error.errno or 0, "check the disk it is on")
    return InputError(f"cannot {'write' if writing else 'read'} {path}: {words}", hint)


@contextlib.contextmanager
def explain_disk_errors(path: Path) -> Iterator[None]:
    """Translates errors of writing `path` with `explain_os_error`.

    Errors of other files pass unchanged, for example of an input that is read in the same block.

    Raises:
        OutOfSpaceError: the disk or the quota is full.
        InputError: `path` cannot be written.
    """
    try:
        yield
    except ConnectionError:  # the reader of our output closed the pipe; not an error of this file
        raise
    except OSError as error:
        if _concerns(error, path):
            raise explain_os_error(error, path, writing=True) from error
        raise


def _concerns(error: OSError, path: Path) -> bool:
    """Returns whether an error is about `path`, a folder above it, or a temporary sibling of it."""
    if not isinstance(error.filename, str | bytes):
        return True
    place, about = path.absolute(), Path(os.fsdecode(error.filename)).absolute()
    beside = about.parent == place.parent and about.name.startswith((".", place.name))  # .NAME.PID.tmp, NAME.part
    return beside or about.is_relative_to(place) or place.is_relative_to(about) or _inside_temporary(about, place)


def _inside_temporary(about: Path, place: Path) -> bool:
    return any(above.parent == place.parent and is_temporary(above) for above in about.parents)


@contextlib.contextmanager
def atomic_file(path: Path, *, follow_link: bool = False) -> Iterator[IO[bytes]]:
    """Opens a hidden sibling for writing, and renames it to `path` if the block succeeds.

    Args:
        follow_link: if `path` is a link, write its target and keep the link, as `cp` does. Use this for a file that
            the user names. Otherwise the link is replaced and its target does not change, so that a link that
            somebody puts into a run folder cannot make us overwrite a file elsewhere.

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
        refuse_special_file(path)
        target = end_of_link(path) if follow_link else path
        remove_litter(target.parent, target.name)
        with temporary_sibling(target) as temporary:
            with open_new(temporary) as out:
                yield out
                out.flush()
                flush_to_disk(out.fileno())
            temporary.replace(target)
        fsync_folder(target.parent)


def end_of_link(path: Path) -> Path:
    """Resolves a chain of links to its final path, which may or may not exist. Returns any other path as it is.

    Raises:
        OSError: the link leads back to itself.
    """
    if not path.is_symlink():
        return path
    with contextlib.suppress(FileNotFoundError):
        path.stat()
    return Path(os.path.realpath(path))


def refuse_special_file(path: Path) -> None:
    """Checks that a path to write is not a device, a pipe or a socket, or a link to one.

    Files are written by a rename. For root, that replaces /dev/null or /dev/stdout, which other programs need.

    Raises:
        InputError: it is one.
    """
    kind = None
    with contextlib.suppress(OSError):
        kind = special_kind(path.stat().st_mode)
    if kind is not None:
        raise InputError(f"cannot write {path}: it is {kind}, not a file", "name a file to write")


def special_kind(mode: int) -> str | None:
    """What a file is, from its `st_mode`, if it is neither a file nor a folder nor a link.

    Example:
        >>> special_kind(stat.S_IFIFO), special_kind(stat.S_IFREG)
        ('a pipe', None)
    """
    if stat.S_ISREG(mode) or stat.S_ISDIR(mode) or stat.S_ISLNK(mode):
        return None
    if stat.S_ISFIFO(mode):
        return "a pipe"
    return "a socket" if stat.S_ISSOCK(mode) else "a device"


def open_new(path: Path) -> IO[bytes]:
    """Creates a file for writing. It must not exist, so that a link with this name is never followed."""
    return path.open("xb")


def write_bytes(path: Path, content: bytes, *, follow_link: bool = False) -> None:
    """Writes `content` to `path`, complete or absent; `follow_link` as in `atomic_file`."""
    with atomic_file(path, follow_link=follow_link) as out:
        out.write(content)


def write_text(path: Path, content: str, *, follow_link: bool = False) -> None:
    """Writes `content` to `path` as UTF-8, complete or absent; `follow_link` as in `atomic_file`."""
    write_bytes(path, content.encode(), follow_link=follow_link)


def write_json(path: Path, value: Any) -> None:
    """Writes `value` as indented JSON, complete or absent. NaN raises ValueError, because JSON has no NaN."""
    write_bytes(path, encode_json(value, indent=2) + b"\n")


def encode_json(value: Any, indent: int | None = None) -> bytes:
    """Encodes `value` as JSON in UTF-8, or in ASCII if a text has a lone surrogate, which UTF-8 cannot encode.

    Raises:
        ValueError: a number is NaN or infinite.

    Example:
        >>> encode_json(["naïve"]) == '["naïve"]'.encode(), encode_json(["\\ud83d"])
        (True, b'["\\\\ud83d"]')
    """
    try:
        return json.dumps(value, indent=indent, ensure_ascii=False, allow_nan=False).encode()
    except UnicodeEncodeError:
        return json.dumps(value, indent=indent, allow_nan=False).encode()


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
        content = path.read_bytes()
    except OSError as error:
        raise explain_os_error(error, path) from error
    if content.startswith(git_lfs.BEGINNING):
        raise git_lfs.pointer_error(path)
    try:
        return json.loads(content)
    except (ValueError, RecursionError) as error:
        raise CorruptFileError(f"{path} is not valid JSON: {error}", "restore the file or make it again") from error


def flush_to_disk(descriptor: int) -> None:
    """Calls `os.fsync`. Does nothing on a disk that does not support it.

    Raises:
        OSError: the disk supports `fsync`, and it failed.
    """
    try:
        os.fsync(descriptor)
    except OSError as error:
        if error.errno not in _UNSUPPORTED:
            raise


def fsync_folder(folder: Path) -> None:
    """Makes a rename inside `folder` durable, if the disk supports it. Does nothing on Windows."""
    if os.name != "posix":
        return
    try:
        descriptor = os.open(folder, os.O_RDONLY)
    except PermissionError:  # a folder can be writable without being readable
        return
    try:
        flush_to_disk(descriptor)
    finally:
        os.close(descriptor)


def fsync_file(path: Path) -> None:
    """Flushes to the disk a file that another library wrote."""
    with path.open("rb") as handle:
        flush_to_disk(handle.fileno())


def set_permissions(path: Path, permissions: int) -> None:
    """Calls `chmod`. Does nothing if the disk has no permissions or does not allow the change."""
    try:
        path.chmod(permissions)
    except OSError as error:
        if error.errno not in (*_UNSUPPORTED, errno.EPERM):
            raise


def sha256_file(path: Path) -> str:
    """Returns the hex sha256 of a file."""
    with path.open("rb") as stream:
        return sha256_stream(stream)


def sha256_stream(stream: IO[bytes]) -> str:
    """Returns the hex sha256 of the rest of a stream, which is read in blocks of 1 MiB."""
    digest = hashlib.sha256()
    while block := stream.read(2**20):
        digest.update(block)
    return digest.hexdigest()
