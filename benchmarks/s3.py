"""Time, processor and memory of moving one object to and from S3, beside plain boto3.

    python benchmarks/s3.py [--megabytes 200] [--repeats 5]

The server is a process of this file on 127.0.0.1 that keeps what it gets in files and answers as fast as it can: moto
and ministack are slower than the clients. Every measurement is a process of its own, the two clients take turns, and
the table has the best wall time and the median of processor seconds and peak resident memory. Plain boto3 is
`upload_file` and `download_file` with parts of 8 MiB in four threads, as ours, and `get_object` for the stream; it
compares no sha256. What this says about S3 itself: nothing.
"""

from __future__ import annotations

import argparse
import contextlib
import json
import os
import re
import resource
import statistics
import subprocess
import sys
import tempfile
import threading
import time
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any
from urllib.parse import parse_qs, urlsplit

WORKS = ("upload", "download", "stream", "ranges")
CLIENTS = ("tuppence", "boto3")
BUCKET = "bucket"
PART_BYTES, THREADS = 8 * 2**20, 4
BLOCK_BYTES = 2**20
RANGE_BYTES, RANGES = 64 * 2**10, 100


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--megabytes", type=int, default=200)
    parser.add_argument("--repeats", type=int, default=5)
    parser.add_argument("--measure", nargs=2, metavar=("CLIENT", "WORK"), help="one measurement, in this process")
    parser.add_argument("--folder", type=Path)
    options = parser.parse_args()
    if options.measure:
        client, work = options.measure
        print(json.dumps(measured(client, work, options.folder)))
        return
    with tempfile.TemporaryDirectory(dir="/dev/shm" if Path("/dev/shm").is_dir() else None) as scratch:
        folder = Path(scratch)
        with (folder / "object").open("wb") as out:
            for _ in range(options.megabytes):
                out.write(os.urandom(10**6))
        environment, stop = serve(folder)
        try:
            found = run(folder, environment, options.repeats)
        finally:
            stop()
    show(found, options.megabytes)


def run(folder: Path, environment: dict[str, str], repeats: int) -> dict[tuple[str, str], list[dict[str, float]]]:
    """Measures everything; the clients take turns."""
    found: dict[tuple[str, str], list[dict[str, float]]] = {}
    for _ in range(repeats):
        for work in WORKS:
            for client in CLIENTS:
                words = [sys.executable, __file__, "--measure", client, work, "--folder", str(folder)]
                done = subprocess.run(words, env=environment, capture_output=True, text=True, check=True)
                found.setdefault((work, client), []).append(json.loads(done.stdout))
    return found


def show(found: dict[tuple[str, str], list[dict[str, float]]], megabytes: int) -> None:
    print(f"{'':10} {'':9} {'best s':>7} {'MB/s':>6} {'CPU s':>6} {'peak MB':>8}")
    for (work, client), rows in found.items():
        best = min(row["seconds"] for row in rows)
        cpu, peak = (statistics.median(row[key] for row in rows) for key in ("cpu", "peak_mb"))
        speed = f"{megabytes / best:6.0f}" if work != "ranges" else f"{RANGES / best:4.0f}/s"
        print(f"{work:10} {client:9} {best:7.2f} {speed:>6} {cpu:6.2f} {peak:8.0f}")


def measured(client: str, work: str, folder: Path) -> dict[str, float]:
    """Seconds, processor seconds and peak memory of one piece of work; imports are not counted in the times."""
    prepare = {"tuppence": ours, "boto3": plain}[client]
    do = prepare(work, folder)
    before, began = resource.getrusage(resource.RUSAGE_SELF), time.perf_counter()
    do()
    seconds, after = time.perf_counter() - began, resource.getrusage(resource.RUSAGE_SELF)
    cpu = after.ru_utime + after.ru_stime - before.ru_utime - before.ru_stime
    return {"seconds": seconds, "cpu": cpu, "peak_mb": after.ru_maxrss / 1e3}


def ours(work: str, folder: Path) -> Any:
    from tuppence.storage import open_store
    from tuppence.storage.s3 import S3Store

    store = open_store(f"s3://{BUCKET}")
    assert isinstance(store, S3Store)
    store.describe("object")  # the first call of a client loads its models

    def stream() -> None:
        with store.open("object") as opened:
            while opened.read(BLOCK_BYTES):
                pass

    def ranges() -> None:
        size = (folder / "object").stat().st_size
        with store.open("object") as opened:
            for number in range(RANGES):
                opened.seek(number * (size - RANGE_BYTES) // RANGES)
                assert len(opened.read(RANGE_BYTES)) == RANGE_BYTES

    return {
        "upload": lambda: store.upload(folder / "object", "object"),
        "download": lambda: store.download("object", folder / f"copy-{os.getpid()}"),
        "stream": stream,
        "ranges": ranges,
    }[work]


def plain(work: str, folder: Path) -> Any:
    import boto3
    from boto3.s3.transfer import TransferConfig
    from botocore.config import Config
    from botocore.exceptions import ClientError

    config = Config(s3={"addressing_style": "path"})
    client = boto3.client("s3", endpoint_url=os.environ["TUPPENCE_AWS_ENDPOINT"], config=config)
    how = TransferConfig(multipart_threshold=PART_BYTES, multipart_chunksize=PART_BYTES, max_concurrency=THREADS)
    with contextlib.suppress(ClientError):  # there is none before the first upload
        client.head_object(Bucket=BUCKET, Key="object")

    def stream() -> None:
        body = client.get_object(Bucket=BUCKET, Key="object")["Body"]
        while body.read(BLOCK_BYTES):
            pass

    def ranges() -> None:
        size = (folder / "object").stat().st_size
        for number in range(RANGES):
            start = number * (size - RANGE_BYTES) // RANGES
            asked = f"bytes={start}-{start + RANGE_BYTES - 1}"
            assert len(client.get_object(Bucket=BUCKET, Key="object", Range=asked)["Body"].read()) == RANGE_BYTES

    return {
        "upload": lambda: client.upload_file(str(folder / "object"), BUCKET, "object", Config=how),
        "download": lambda: client.download_file(BUCKET, "object", str(folder / f"copy-{os.getpid()}"), Config=how),
        "stream": stream,
        "ranges": ranges,
    }[work]


def serve(folder: Path) -> tuple[dict[str, str], Any]:
    """Starts the server in another process; returns the environment of its clients, and what ends it."""
    words = [sys.executable, "-c", f"import runpy; runpy.run_path({__file__!r})['serve_forever']({str(folder)!r})"]
    process = subprocess.Popen(words, stdout=subprocess.PIPE, text=True)
    assert process.stdout is not None
    endpoint = process.stdout.readline().strip()
    environment = {
        **os.environ,
        "TUPPENCE_AWS_ENDPOINT": endpoint,
        "AWS_ACCESS_KEY_ID": "a",
        "AWS_SECRET_ACCESS_KEY": "b",
        "AWS_REGION": "us-east-1",
        "AWS_DEFAULT_REGION": "us-east-1",
        "XDG_CACHE_HOME": str(folder / "cache"),
    }
    return environment, process.terminate


def serve_forever(folder: str) -> None:
    """A server with one object, in parts or whole."""
    parts: dict[int, Path] = {}
    metadata: dict[str, str] = {}
    lock = threading.Lock()

    class Handler(BaseHTTPRequestHandler):
        protocol_version = "HTTP/1.1"
        wbufsize = 2**16

        def log_message(self, *_: Any) -> None:
            pass

        def handle(self) -> None:
            with contextlib.suppress(ConnectionError):  # a client that has read enough
                super().handle()

        def reply(self, status: int, body: bytes = b"", **headers: str) -> None:
            self.send_response(status)
            for name, value in headers.items():
                self.send_header(name.replace("_", "-"), value)
            self.send_header("Content-Length", headers.get("length", str(len(body))))
            self.end_headers()
            self.wfile.write(body)
            self.wfile.flush()

        def do_PUT(self) -> None:
            query = parse_qs(urlsplit(self.path).query)
            number = int(query.get("partNumber", ["1"])[0])
            path, left = Path(folder) / f"part-{number}", int(self.headers["Content-Length"])
            with path.open("wb") as out:
                while left:
                    block = self.rfile.read(min(left, BLOCK_BYTES))
                    out.write(block)
                    left -= len(block)
            with lock:
                parts[number] = path
            self.reply(200, ETag='"part"')

        def do_POST(self) -> None:
            self.rfile.read(int(self.headers.get("Content-Length") or 0))
            if "uploads" in urlsplit(self.path).query:
                found = {name: value for name, value in self.headers.items() if name.lower().startswith("x-amz-meta-")}
                metadata.clear()
                metadata.update(found)
                body = "<InitiateMultipartUploadResult><UploadId>u</UploadId></InitiateMultipartUploadResult>"
            else:
                with (Path(folder) / "stored").open("wb") as out:
                    for _, path in sorted(parts.items()):
                        out.write(path.read_bytes())
                body = '<CompleteMultipartUploadResult><ETag>"whole-1"</ETag></CompleteMultipartUploadResult>'
            self.reply(200, body.encode())

        def do_HEAD(self) -> None:
            self.get(body=False)

        def do_GET(self) -> None:
            self.get(body=True)

        def get(self, *, body: bool) -> None:
            path = Path(folder) / "stored"
            if not path.exists():
                self.reply(404)
                return
            size, asked = path.stat().st_size, re.match(r"bytes=(\d+)-(\d+)?", self.headers.get("Range") or "")
            start, end = (int(asked[1]), int(asked[2] or size - 1)) if asked else (0, size - 1)
            self.send_response(206 if asked else 200)
            for name, value in {**metadata, "ETag": '"whole-1"', "Accept-Ranges": "bytes"}.items():
                self.send_header(name, value)
            self.send_header("Last-Modified", "Sat, 28 Nov 2026 12:00:00 GMT")
            self.send_header("Content-Length", str(end - start + 1))
            if asked:
                self.send_header("Content-Range", f"bytes {start}-{end}/{size}")
            self.end_headers()
            self.wfile.flush()
            if body:
                with path.open("rb") as stored:
                    while start <= end:
                        try:
                            sent = os.sendfile(self.connection.fileno(), stored.fileno(), start, end + 1 - start)
                        except ConnectionError:
                            self.close_connection = True
                            return
                        start += sent

    server = ThreadingHTTPServer(("127.0.0.1", 0), Handler)
    print(f"http://127.0.0.1:{server.server_address[1]}", flush=True)
    server.serve_forever()


if __name__ == "__main__":
    main()
