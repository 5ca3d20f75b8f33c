"""A proxy before an S3 server that does what networks and busy servers do, in an order given by a seed.

It drops requests, answers 500 and 503, hangs, loses answers after the server has done the work, cuts bodies short, and
flips bits of objects and listings on their way. Heads of requests and answers stay as they are: they are signed, or
short.
"""

from __future__ import annotations

import http.client
import random
import threading
import time
import types
from collections import Counter
from collections.abc import Iterator, Sequence
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from typing import Any
from urllib.parse import parse_qs, urlsplit

import pytest

from tests.s3_servers import Server
from tuppence.storage import aws_client, s3_reading

FAULTS = ("drop", "delay", "500", "503", "hang", "lost answer", "cut", "flip sent", "flip received")
HANG_SECONDS, DELAY_SECONDS = 0.4, 0.005
_SHARE_OF_HANGS = 0.2
"""Of those that were drawn: they take all the time."""
_SECRETS_OF_A_HOP = ("connection", "keep-alive", "transfer-encoding")


class Proxy:
    """The proxy, as a server of its own.

    Attributes:
        rate: the share of requests with a fault.
        seen: how often each fault was made.
        requests: how many there were while faults were made.
    """

    def __init__(self, target: Server, seed: int, rate: float = 0.0, faults: Sequence[str] = FAULTS) -> None:
        self.target, self.rate, self.faults = target, rate, tuple(faults)
        self.seen: Counter[str] = Counter()
        self.requests = 0
        self._random, self._lock = random.Random(seed), threading.Lock()
        self._http = ThreadingHTTPServer(("127.0.0.1", 0), self._handler())
        self._http.daemon_threads = True
        self._thread = threading.Thread(target=self._http.serve_forever, kwargs={"poll_interval": 0.05}, daemon=True)
        self._thread.start()

    @property
    def server(self) -> Server:
        """The server as it is seen through the proxy."""
        port = self._http.server_address[1]
        return Server(self.target.name, f"http://127.0.0.1:{port}", self.target.key_id, self.target.secret)

    def close(self) -> None:
        self._http.shutdown()
        self._http.server_close()

    @contextmanager
    def failing(self, rate: float) -> Iterator[None]:
        """Makes faults while the block runs."""
        self.rate = rate
        try:
            yield
        finally:
            self.rate = 0.0

    def draw(self, method: str, path: str) -> tuple[str, float]:
        """The fault of a request ("" for none), and where in the body it happens, 0 to 1."""
        with self._lock:
            self.requests += bool(self.rate)
            if self._random.random() >= self.rate:
                return "", 0.0
            fault, where = self._random.choice(self.faults), self._random.random()
            if fault == "hang" and self._random.random() >= _SHARE_OF_HANGS:
                return "", 0.0
            query = parse_qs(urlsplit(path).query, keep_blank_values=True)
            of_object = not set(query) - {"partNumber", "uploadId", "x-id"}
            if fault == "flip sent" and not (method == "PUT" and of_object):
                return "", 0.0
            if fault in ("flip received", "cut") and not (method == "GET" and (of_object or "list-type" in query)):
                return "", 0.0
            self.seen[fault] += 1
            return fault, where

    def _handler(self) -> type[BaseHTTPRequestHandler]:
        proxy = self
        host = urlsplit(self.target.endpoint).netloc

        class Handler(BaseHTTPRequestHandler):
            protocol_version = "HTTP/1.1"

            def log_message(self, *_: Any) -> None:
                pass

            def handle(self) -> None:
                try:
                    super().handle()
                except (ConnectionError, http.client.HTTPException, OSError):
                    self.close_connection = True

            def answer(self) -> None:
                body = self.rfile.read(int(self.headers.get("Content-Length") or 0))
                fault, where = proxy.draw(self.command, self.path)
                if fault == "delay":
                    time.sleep(DELAY_SECONDS)
                if fault == "hang":
                    time.sleep(HANG_SECONDS)
                if fault in ("drop", "hang"):
                    self.close_connection = True
                    return
                if fault in ("500", "503"):
                    self.send_error(int(fault))
                    return
                if fault == "flip sent":
                    body = flipped(body, where)
                upstream = http.client.HTTPConnection(host, timeout=60)
                upstream.putrequest(self.command, self.path, skip_host=True, skip_accept_encoding=True)
                for name, value in self.headers.items():
                    if name.lower() not in (*_SECRETS_OF_A_HOP, "expect"):
                        upstream.putheader(name, value)
                upstream.endheaders(body)
                answer = upstream.getresponse()
                content = answer.read()
                upstream.close()
                if fault == "lost answer":
                    self.close_connection = True
                    return
                self.send_response_only(answer.status)
                for name, value in answer.getheaders():
                    if name.lower() not in (*_SECRETS_OF_A_HOP, "content-length"):
                        self.send_header(name, value)
                length = answer.getheader("Content-Length") if self.command == "HEAD" else None
                self.send_header("Content-Length", length or str(len(content)))
                self.end_headers()
                if fault == "cut":
                    self.wfile.write(content[: int(where * len(content))])
                    self.close_connection = True
                    return
                self.wfile.write(flipped(content, where) if fault == "flip received" else content)

        for method in ("GET", "PUT", "POST", "DELETE", "HEAD"):
            setattr(Handler, f"do_{method}", Handler.answer)
        return Handler


def flipped(content: bytes, where: float) -> bytes:
    """Returns a text with one bit flipped, at a place from 0 to 1."""
    if not content:
        return content
    at = int(where * len(content) * 8)
    changed = bytearray(content)
    changed[at // 8] ^= 1 << at % 8
    return bytes(changed)


def in_short_time(monkeypatch: pytest.MonkeyPatch) -> None:
    """Lets boto3 and ours wait almost nothing between attempts, and give up soon on a server that hangs."""
    import botocore.endpoint

    monkeypatch.setattr(aws_client, "READ_SECONDS", HANG_SECONDS / 2)
    monkeypatch.setattr(s3_reading, "FIRST_PAUSE_SECONDS", 0.0005)
    fast = types.SimpleNamespace(sleep=lambda seconds: time.sleep(min(seconds, 0.001)), time=time.time)
    monkeypatch.setattr(botocore.endpoint, "time", fast)
    aws_client._client.cache_clear()
