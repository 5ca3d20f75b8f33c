"""Downloads from a local server that fails in one way per test."""

from __future__ import annotations

import errno
import hashlib
import http.client
import json
import random
import re
import ssl
import threading
import urllib.error
from collections.abc import Callable, Iterator
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import CorruptFileError, InputError, OutOfSpaceError
from tuppence.data import download as downloading
from tuppence.data.download import download

CONTENT = random.Random(0).randbytes(1_000_000)
SHA256 = hashlib.sha256(CONTENT).hexdigest()


class Server:
    """Serves one file; the attributes set its faults."""

    def __init__(self) -> None:
        self.content = CONTENT
        self.tag = '"first"'
        self.ranges = True
        self.at_most = len(CONTENT)  # bytes of a range sent at once
        self.drop_after: list[int] = []  # bytes sent before the connection is cut, per request
        self.statuses: list[int] = []  # HTTP errors that are sent instead, per request
        self.redirect = ""
        self.requests: list[tuple[str | None, str | None]] = []
        handler = type("Handler", (_Handler,), {"server_state": self})
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), handler)
        self._http.handle_error = lambda *_: None  # type: ignore[method-assign]  # clients that hang up are no news
        self.url = f"http://127.0.0.1:{self._http.server_port}/file"
        self._thread = threading.Thread(target=self._http.serve_forever, args=(0.01,), daemon=True)
        self._thread.start()

    def stop(self) -> None:
        self._http.shutdown()
        self._http.server_close()


class _Handler(BaseHTTPRequestHandler):
    server_state: Server

    def log_message(self, *_: Any) -> None:
        pass

    def do_GET(self) -> None:
        state = self.server_state
        wanted = self.headers.get("Range")
        state.requests.append((wanted, self.headers.get("If-Range")))
        if state.redirect:
            self.send_response(302)
            self.send_header("Location", state.redirect)
            self.end_headers()
            return
        if state.statuses:
            self.send_error(state.statuses.pop(0))
            return
        start = 0
        if wanted and state.ranges and self.headers.get("If-Range") == state.tag:
            start = int(re.fullmatch(r"bytes=(\d+)-", wanted)[1])  # type: ignore[index]
        if start >= len(state.content):
            self.send_error(416)
            return
        body = state.content[start : start + state.at_most] if start else state.content
        self.send_response(206 if start else 200)
        self.send_header("ETag", state.tag)
        self.send_header("Content-Length", str(len(body)))
        if start:
            self.send_header("Content-Range", f"bytes {start}-{start + len(body) - 1}/{len(state.content)}")
        self.end_headers()
        cut = state.drop_after.pop(0) if state.drop_after else len(body)
        self.wfile.write(body[:cut])


@pytest.fixture
def server() -> Iterator[Server]:
    server = Server()
    yield server
    server.stop()


@pytest.fixture
def fetch(server: Server, tmp_path: Path) -> Callable[..., Any]:
    return lambda **options: download(
        server.url, tmp_path / "out.bin", **{"sha256": SHA256, "pause_seconds": 0.001, **options}
    )


def left_in(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_file_is_downloaded_and_verified(fetch: Any, tmp_path: Path) -> None:
    seen: list[tuple[int, int | None]] = []
    done = fetch(on_progress=lambda have, total: seen.append((have, total)))
    assert done.path.read_bytes() == CONTENT
    assert (done.bytes, done.sha256, done.verified) == (len(CONTENT), SHA256, True)
    assert seen[-1] == (len(CONTENT), len(CONTENT))
    assert left_in(tmp_path) == ["out.bin"]


def test_a_download_continues_after_dropped_connections(server: Server, fetch: Any) -> None:
    server.drop_after = [300_000, 100_000, 400_000]
    assert fetch(attempts=2).path.read_bytes() == CONTENT
    assert [wanted for wanted, _ in server.requests] == [
        None,
        "bytes=300000-",
        "bytes=400000-",
        "bytes=800000-",
    ]
    assert {tag for _, tag in server.requests[1:]} == {'"first"'}


def test_a_second_run_continues_an_interrupted_download(server: Server, fetch: Any, tmp_path: Path) -> None:
    server.drop_after = [250_000]
    with pytest.raises(InputError, match=r"the connection ended after 250,000 of 1,000,000 bytes") as caught:
        fetch(attempts=1)
    assert "continues where it stopped" in caught.value.hint
    assert left_in(tmp_path) == ["out.bin.part", "out.bin.part.json"]
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests[1] == ("bytes=250000-", '"first"')


@pytest.mark.parametrize("sha256", [SHA256, None])
def test_the_rest_of_an_incomplete_range_is_requested(
    server: Server, fetch: Any, tmp_path: Path, sha256: str | None
) -> None:
    server.drop_after, server.at_most = [150_000], 300_000
    fetch(sha256=sha256)
    assert (tmp_path / "out.bin").read_bytes() == CONTENT
    assert [wanted for wanted, _ in server.requests] == [None, *(f"bytes={n}-" for n in (150_000, 450_000, 750_000))]


def test_a_server_without_ranges_sends_the_whole_file_again(server: Server, fetch: Any) -> None:
    server.ranges, server.drop_after = False, [600_000]
    assert fetch().path.read_bytes() == CONTENT


def test_a_changed_file_is_downloaded_from_the_start(server: Server, fetch: Any) -> None:
    server.drop_after = [600_000]
    with pytest.raises(InputError):
        fetch(attempts=1)
    server.content, server.tag = CONTENT[::-1], '"second"'
    done = fetch(sha256=None)
    assert done.path.read_bytes() == CONTENT[::-1]
    assert not done.verified


def test_a_part_of_another_address_is_not_continued(server: Server, fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "out.bin.part").write_bytes(b"something else")
    (tmp_path / "out.bin.part.json").write_text(json.dumps({"url": "https://elsewhere", "tag": '"first"'}))
    assert fetch().path.read_bytes() == CONTENT
    assert server.requests == [(None, None)]


def test_a_part_longer_than_the_file_is_removed(server: Server, fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "out.bin.part").write_bytes(CONTENT + b"more")
    (tmp_path / "out.bin.part.json").write_text(json.dumps({"url": server.url, "tag": '"first"'}))
    assert fetch().path.read_bytes() == CONTENT


def test_a_file_with_a_wrong_checksum_is_refused_and_removed(server: Server, fetch: Any, tmp_path: Path) -> None:
    server.content = b"<html>Please log in</html>"
    with pytest.raises(CorruptFileError, match=f"not {SHA256}"):
        fetch()
    assert left_in(tmp_path) == []


@pytest.mark.parametrize("status", [401, 403, 404, 410])
def test_a_client_error_is_not_retried(server: Server, fetch: Any, status: int) -> None:
    server.statuses = [status]
    with pytest.raises(InputError, match=f"HTTP {status}"):
        fetch()
    assert len(server.requests) == 1


@pytest.mark.parametrize("status", [429, 500, 503])
def test_a_busy_server_is_retried(server: Server, fetch: Any, status: int) -> None:
    server.statuses = [status, status]
    assert fetch(attempts=3).path.read_bytes() == CONTENT


def test_retries_end_if_the_server_stays_down(server: Server, fetch: Any) -> None:
    server.statuses = [503] * 10
    with pytest.raises(InputError, match="HTTP 503"):
        fetch(attempts=3)
    assert len(server.requests) == 3


def test_a_refused_connection_is_an_input_error(server: Server, fetch: Any) -> None:
    server.stop()
    with pytest.raises(InputError, match="cannot download"):
        fetch(attempts=2)


def test_a_file_above_the_limit_is_refused_before_the_download(server: Server, fetch: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"has 1,000,000 bytes, more than the limit of 5,000"):
        fetch(limit_bytes=5000)
    assert not (tmp_path / "out.bin").exists()


def test_a_file_larger_than_the_disk_is_refused_before_the_download(
    fetch: Any, monkeypatch: pytest.MonkeyPatch
) -> None:
    usage = type("Usage", (), {"free": 10_000})
    monkeypatch.setattr(downloading.shutil, "disk_usage", lambda _: usage)
    with pytest.raises(OutOfSpaceError, match=r"needs 1,000,000 bytes, the disk has 10,000"):
        fetch()


def test_a_finished_download_is_not_repeated(server: Server, fetch: Any) -> None:
    assert fetch() == fetch()
    assert len(server.requests) == 1


def test_an_existing_file_is_never_overwritten(fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "out.bin").write_text("mine")
    with pytest.raises(InputError, match="exists already"):
        fetch()
    assert (tmp_path / "out.bin").read_text() == "mine"


@pytest.mark.parametrize("url", ["http://example.org/a", "ftp://127.0.0.1/a", "file:///etc/passwd", "a.txt"])
def test_only_https_is_fetched(tmp_path: Path, url: str) -> None:
    with pytest.raises(InputError, match="is not https"):
        download(url, tmp_path / "a")


@pytest.mark.parametrize("target", ["http://example.org/a", "file:///etc/passwd"])
def test_a_redirect_away_from_https_is_not_followed(server: Server, fetch: Any, target: str) -> None:
    server.redirect = target
    with pytest.raises(InputError, match=r"is not https|HTTP 302"):
        fetch()


@pytest.mark.parametrize(
    "broken",
    [
        OSError(errno.EHOSTUNREACH, "No route to host"),
        OSError(errno.ENETDOWN, "Network is down"),
        ConnectionResetError(errno.ECONNRESET, "Connection reset by peer"),
        TimeoutError("timed out"),
        ssl.SSLError(1, "[SSL: DECRYPTION_FAILED_OR_BAD_RECORD_MAC] decryption failed"),
        ssl.SSLEOFError(8, "EOF occurred in violation of protocol"),
        http.client.IncompleteRead(b"half"),
    ],
    ids=repr,
)
def test_a_network_error_inside_the_body_is_retried(
    broken: Exception, fetch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    read, calls = http.client.HTTPResponse.read, iter(range(1000))

    def fail_once(response: http.client.HTTPResponse, amount: int | None = None) -> bytes:
        if next(calls) == 3:
            raise broken
        return read(response, amount)

    monkeypatch.setattr(http.client.HTTPResponse, "read", fail_once)
    assert fetch(attempts=2).path.read_bytes() == CONTENT
    calls = iter([3] * 10)
    (tmp_path / "out.bin").unlink()
    with pytest.raises(InputError, match="cannot download") as caught:
        fetch(attempts=2)
    assert "check the network" in caught.value.hint


def test_an_invalid_certificate_is_not_retried(fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    calls = []

    def refuse(*_: Any, **__: Any) -> None:
        calls.append(1)
        error = ssl.SSLCertVerificationError(1, "certificate verify failed")
        error.verify_message = "certificate has expired"
        raise urllib.error.URLError(error)

    monkeypatch.setattr(downloading._OPENER, "open", refuse)
    with pytest.raises(InputError, match="certificate cannot be verified: certificate has expired") as caught:
        fetch()
    assert len(calls) == 1
    assert "clock" in caught.value.hint


def test_a_disk_error_is_not_reported_as_a_network_error(fetch: Any, monkeypatch: pytest.MonkeyPatch) -> None:
    def fail(*_: Any) -> None:
        raise OSError(errno.EIO, "Input/output error")

    monkeypatch.setattr(downloading, "_open_part", fail)
    with pytest.raises(InputError, match=r"cannot write .*out\.bin: Input/output error"):
        fetch()


def test_the_file_is_synced_before_it_is_renamed(fetch: Any, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    flushed: list[str] = []
    monkeypatch.setattr(downloading, "fsync_file", lambda path: flushed.extend([path.name, *left_in(tmp_path)]))
    fetch()
    assert flushed == ["out.bin.part", "out.bin.part", "out.bin.part.json"]


def test_a_symbolic_link_at_the_part_is_not_followed(fetch: Any, tmp_path: Path) -> None:
    (tmp_path / "victim").write_text("precious")
    (tmp_path / "out.bin.part").symlink_to("victim")
    with pytest.raises(InputError, match="cannot write"):
        fetch()
    assert (tmp_path / "victim").read_text() == "precious"
