"""Downloads one file over HTTPS: resumable, verified, complete or absent.

`FILE.part` collects the bytes; `FILE.part.json` has the URL and the ETag that identify them. After the connection
breaks, a Range request continues the download. With `If-Range`, a server whose file has changed sends the whole file.
Only a file of the right length and sha256 gets its final name. Called by `tuppence data get`.
"""

from __future__ import annotations

import http.client
import os
import re
import shutil
import ssl
import time
import urllib.error
import urllib.parse
import urllib.request
from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path
from typing import IO, Any

from tuppence.core.console import note
from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError
from tuppence.core.files import explain_disk_errors, fsync_file, fsync_folder, read_json, sha256_file, write_json

BLOCK_BYTES = 2**16
DEFAULT_LIMIT_BYTES = 64 * 2**30
ATTEMPTS = 5
TIMEOUT_SECONDS = 60

OnProgress = Callable[[int, int | None], object]
"""Called with (bytes so far, total bytes if known)."""


@dataclass(frozen=True)
class Download:
    """A finished download."""

    path: Path
    bytes: int
    sha256: str
    verified: bool


class _TransientError(Exception):
    """A failure that can be temporary."""


def download(
    url: str,
    out: Path,
    *,
    sha256: str | None = None,
    limit_bytes: int = DEFAULT_LIMIT_BYTES,
    on_progress: OnProgress | None = None,
    attempts: int = ATTEMPTS,
    pause_seconds: float = 1.0,
) -> Download:
    """Fetches `url` into `out`.

    Args:
        url: https, or http from this machine.
        out: the final file. An existing file is never replaced; one with the right sha256 is returned.
        sha256: the published value; None if there is none.
        limit_bytes: largest file that is accepted.
        on_progress: called after each block, for a progress bar.
        attempts: number of attempts without progress before the download fails.
        pause_seconds: pause before the second attempt; doubled before each further one.

    Raises:
        InputError: the server refuses, cannot be reached, or offers more than `limit_bytes`; or `out` exists and is
            another file.
        CorruptFileError: the bytes do not have the sha256; they are removed.
        OutOfSpaceError: the disk cannot hold the file.
    """
    _require_safe(url)
    if out.exists():
        return already_there(out, sha256)
    part = out.with_name(out.name + ".part")
    with explain_disk_errors(out):
        out.parent.mkdir(parents=True, exist_ok=True)
        failures = 0
        while True:
            before = _size_of(part)
            try:
                _fetch(url, part, limit_bytes, on_progress)
                break
            except _TransientError as problem:
                failures = failures + 1 if _size_of(part) <= before else 1
                if failures >= attempts:
                    raise InputError(
                        f"cannot download {url}: {problem}",
                        "check the network and run the same command again: it continues where it stopped",
                    ) from problem
                pause = pause_seconds * 2 ** (failures - 1)
                note(f"{problem}; trying again in {pause:.0f} s")
                time.sleep(pause)
        return _accept(url, part, out, sha256)


def already_there(out: Path, sha256: str | None) -> Download:
    """Returns the existing file `out` as a finished download, if it has the sha256.

    Raises:
        InputError: it is another file, or there is no sha256 to compare.
    """
    if sha256 is None or not out.is_file() or sha256_file(out) != sha256:
        raise InputError(f"{out} exists already", "choose another --out, or remove the file")
    return Download(out, _size_of(out), sha256, verified=True)


def _accept(url: str, part: Path, out: Path, sha256: str | None) -> Download:
    """Verifies the collected bytes and gives them their final name."""
    found = sha256_file(part)
    if sha256 is not None and found != sha256:
        _forget(part)
        raise CorruptFileError(
            f"the file from {url} has sha256 {found}, not {sha256}", "it was removed; try again, or ask the origin"
        )
    size = _size_of(part)
    fsync_file(part)
    part.replace(out)
    fsync_folder(out.parent)
    _forget(part)
    return Download(out, size, found, verified=sha256 is not None)


def _fetch(url: str, part: Path, limit_bytes: int, on_progress: OnProgress | None) -> None:
    """Makes one request, appends the response to `part`, and returns if the file is complete."""
    have, tag = _resumable(url, part)
    request = urllib.request.Request(url, headers={"User-Agent": "tuppence", "Accept-Encoding": "identity"})
    if have:
        request.add_header("Range", f"bytes={have}-")
        request.add_header("If-Range", tag)
    with _response(url, part, request) as response:
        if response.status != 206 or not _continues(response, have):
            have = 0  # the server sends the whole file: it ignores ranges, or the file has changed
        total = _total(response, have)
        _require_room(url, part, have, total, limit_bytes)
        if not have:
            _open_part(part, os.O_TRUNC).close()  # before the tag is written: old bytes never have a new tag
            write_json(_facts(part), {"url": url, "tag": _tag(response)})
        _append(response, part, have, total, limit_bytes, on_progress)


def _response(url: str, part: Path, request: urllib.request.Request) -> Any:
    """Returns the server's response, whose body is not read yet.

    Raises:
        _TransientError: another attempt can succeed.
        InputError: no further attempt can succeed.
    """
    try:
        return _OPENER.open(request, timeout=TIMEOUT_SECONDS)
    except urllib.error.HTTPError as error:
        if error.code == 416:  # the part is at least as long as the file: start again
            _forget(part)
            raise _TransientError("the server does not have the rest") from error
        if error.code in (408, 425, 429) or error.code >= 500:
            raise _TransientError(f"HTTP {error.code} {error.reason}") from error
        raise InputError(
            f"cannot download {url}: HTTP {error.code} {error.reason}", "the origin may have moved; see its page"
        ) from error
    except (OSError, http.client.HTTPException) as error:
        reason = error.reason if isinstance(error, urllib.error.URLError) else error
        if isinstance(reason, ssl.SSLCertVerificationError):
            raise InputError(
                f"cannot download {url}: its certificate cannot be verified: {reason.verify_message}",
                "check this machine's clock and its certificates (ca-certificates), and whether a proxy is in between",
            ) from error
        raise _TransientError(_words(error)) from error


def _read(response: Any) -> bytes:
    """Returns the next block of a body; empty at its end. Its errors come from the network, not from the disk.

    Raises:
        _TransientError: the connection broke.
    """
    try:
        block: bytes = response.read(BLOCK_BYTES)
    except (OSError, http.client.HTTPException) as error:
        raise _TransientError(_words(error)) from error
    return block


def _words(error: Exception) -> str:
    """Returns the message of a network error, in one line. OSError and URLError have it in different attributes."""
    reason = getattr(error, "reason", None) or error
    words = getattr(reason, "strerror", None) or str(reason) or type(reason).__name__
    return f"TLS: {words}" if isinstance(reason, ssl.SSLError) else str(words)


def _open_part(part: Path, more: int = 0) -> IO[bytes]:
    """Opens the collected bytes to append. Does not follow a link, because another user could have created it."""
    flags = os.O_WRONLY | os.O_CREAT | os.O_APPEND | getattr(os, "O_NOFOLLOW", 0) | getattr(os, "O_BINARY", 0) | more
    return os.fdopen(os.open(part, flags, 0o666), "ab")


def _append(
    response: Any, part: Path, have: int, total: int | None, limit_bytes: int, on_progress: OnProgress | None
) -> None:
    with _open_part(part) as out:
        while block := _read(response):
            have += len(block)
            if have > limit_bytes:
                raise InputError(f"the file is larger than the limit of {limit_bytes:,} bytes", "is it the right one?")
            out.write(block)
            if on_progress is not None:
                on_progress(have, total)
    if total is not None and have < total:
        raise _TransientError(f"the connection ended after {have:,} of {total:,} bytes")


def _resumable(url: str, part: Path) -> tuple[int, str]:
    """Returns the number of collected bytes and the tag that identifies them; (0, "") if the download cannot resume."""
    try:
        facts = read_json(_facts(part))
        if facts["url"] == url and isinstance(facts["tag"], str) and facts["tag"]:
            return _size_of(part), facts["tag"]
    except (InputError, KeyError, TypeError):
        pass
    return 0, ""


def _tag(response: Any) -> str:
    """Returns a strong ETag or the modification date, which `If-Range` accepts (RFC 9110, section 13.1.5)."""
    tag, date = str(response.headers.get("ETag", "")), str(response.headers.get("Last-Modified", ""))
    return tag if tag.startswith('"') else date


def _continues(response: Any, have: int) -> bool:
    return bool(have) and response.headers.get("Content-Range", "").startswith(f"bytes {have}-")


def _total(response: Any, have: int) -> int | None:
    """Returns the size of the whole file. A server can send less than the requested range; then Content-Range has the
    total."""
    whole = re.fullmatch(r"bytes \d+-\d+/(\d+)", response.headers.get("Content-Range", ""))
    if have and whole is not None:
        return int(whole[1])
    length = response.headers.get("Content-Length")
    return have + int(length) if length and length.isdigit() else None


def _require_room(url: str, part: Path, have: int, total: int | None, limit_bytes: int) -> None:
    if total is None:
        return
    if total > limit_bytes:
        raise InputError(f"{url} has {total:,} bytes, more than the limit of {limit_bytes:,}", "is it the right file?")
    free = shutil.disk_usage(part.parent).free
    if total - have > free:
        raise OutOfSpaceError(f"{url} needs {total - have:,} bytes, the disk has {free:,}", "free some space first")


def _require_safe(url: str) -> None:
    """Refuses a URL whose content could be changed in transit: all but https, and http from this machine.

    Example:
        >>> _require_safe("http://example.org/corpus.txt")
        Traceback (most recent call last):
        tuppence.core.errors.InputError: http://example.org/corpus.txt is not https
    """
    parts = urllib.parse.urlsplit(url)
    if parts.scheme == "https" or (parts.scheme == "http" and parts.hostname in ("127.0.0.1", "::1", "localhost")):
        return
    raise InputError(f"{url} is not https", "use the https address")


class _SafeRedirects(urllib.request.HTTPRedirectHandler):
    """Follows redirects, but never to plain http."""

    def redirect_request(self, req: Any, fp: Any, code: int, msg: str, headers: Any, newurl: str) -> Any:
        _require_safe(newurl)
        return super().redirect_request(req, fp, code, msg, headers, newurl)


_OPENER = urllib.request.build_opener(_SafeRedirects())


def _facts(part: Path) -> Path:
    return part.with_name(part.name + ".json")


def _size_of(path: Path) -> int:
    return path.stat().st_size if path.exists() else 0


def _forget(part: Path) -> None:
    part.unlink(missing_ok=True)
    _facts(part).unlink(missing_ok=True)
