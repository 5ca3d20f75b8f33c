"""S3 on this machine: moto, which checks signatures and policies, and ministack, which checks checksums.

Both run once for each test process. A test asks for `s3`, an empty bucket on both, one after the other, or for
`moto_s3`, an empty bucket on moto.
"""

from __future__ import annotations

import json
import logging
import os
import socket
import subprocess
import sys
import time
import urllib.error
import urllib.request
import uuid
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import pytest

from tests.memory_store import release_copies
from tuppence.storage.s3 import S3Store

REGION = "us-east-1"
VARIABLES = ("AWS_PROFILE", "AWS_SESSION_TOKEN", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_DEFAULT_REGION")
"""Variables that would lead a test elsewhere."""


@dataclass(frozen=True)
class Server:
    """An S3 server on this machine, with the credentials of a user who may only use S3."""

    name: str
    endpoint: str
    key_id: str
    secret: str

    @property
    def environment(self) -> dict[str, str]:
        """What points boto3 at this server."""
        return {
            "TUPPENCE_AWS_ENDPOINT": self.endpoint,
            "AWS_ACCESS_KEY_ID": self.key_id,
            "AWS_SECRET_ACCESS_KEY": self.secret,
            "AWS_REGION": REGION,
            "AWS_EC2_METADATA_DISABLED": "true",
            "AWS_CONFIG_FILE": os.devnull,
            "AWS_SHARED_CREDENTIALS_FILE": os.devnull,
        }

    def client(self, service: str = "s3") -> Any:
        """Returns a plain client of boto3, which knows nothing of ours."""
        import boto3
        from botocore.config import Config

        return boto3.client(
            service,
            endpoint_url=self.endpoint,
            aws_access_key_id=self.key_id,
            aws_secret_access_key=self.secret,
            region_name=REGION,
            config=Config(s3={"addressing_style": "path"}),
        )


@dataclass(frozen=True)
class Bucket:
    """An empty bucket of a server."""

    server: Server
    name: str

    @property
    def url(self) -> str:
        return f"s3://{self.name}"

    def store(self, prefix: str = "") -> S3Store:
        return S3Store(f"{self.url}/{prefix}")

    def put(self, path: Path, prefix: str) -> str:
        """Copies a local file or folder below a prefix, with plain boto3; returns its URL."""
        for file in [path] if path.is_file() else sorted(path.rglob("*")):
            if file.is_file():
                key = prefix if file == path else f"{prefix}/{file.relative_to(path).as_posix()}"
                self.server.client().put_object(Bucket=self.name, Key=key, Body=file.read_bytes())
        return f"{self.url}/{prefix}"

    def contents(self, prefix: str = "") -> dict[str, bytes]:
        """Returns all objects below a prefix by their key, read with plain boto3."""
        client, found = self.server.client(), {}
        for page in client.get_paginator("list_objects_v2").paginate(Bucket=self.name, Prefix=prefix):
            for one in page.get("Contents", []):
                found[one["Key"]] = client.get_object(Bucket=self.name, Key=one["Key"])["Body"].read()
        return found


def moto_server() -> tuple[Any, Server]:
    """Starts moto, with a user who may only use S3."""
    from moto.server import ThreadedMotoServer

    logging.getLogger("werkzeug").setLevel(logging.WARNING)

    server = ThreadedMotoServer(ip_address="127.0.0.1", port=0, verbose=False)
    server.start()
    host, port = server.get_host_and_port()
    endpoint = f"http://{host}:{port}"
    iam = Server("moto", endpoint, "root", "root").client("iam")
    iam.create_user(UserName="trainer")
    policy = {"Version": "2012-10-17", "Statement": [{"Effect": "Allow", "Action": "s3:*", "Resource": "*"}]}
    iam.put_user_policy(UserName="trainer", PolicyName="s3", PolicyDocument=json.dumps(policy))
    key = iam.create_access_key(UserName="trainer")["AccessKey"]
    check_signatures = urllib.request.Request(
        f"{endpoint}/moto-api/reset-auth", data=b"0", headers={"Content-Type": "text/plain"}, method="POST"
    )
    urllib.request.urlopen(check_signatures).read()
    return server, Server("moto", endpoint, key["AccessKeyId"], key["SecretAccessKey"])


def ministack_server(folder: Path) -> tuple[subprocess.Popen[bytes], Server]:
    """Starts ministack, with its data below a folder."""
    with socket.socket() as free:
        free.bind(("127.0.0.1", 0))
        port = free.getsockname()[1]
    environment = {
        "PATH": os.environ["PATH"],
        "HOME": str(folder),
        "BIND_HOST": "127.0.0.1",
        "GATEWAY_PORT": str(port),
        "S3_PERSIST": "1",
        "S3_DATA_DIR": str(folder / "s3"),
        "PYTHONDONTWRITEBYTECODE": "1",
    }
    program = Path(sys.executable).with_name("ministack")
    log = (folder / "log").open("wb")
    process = subprocess.Popen([program], env=environment, cwd=folder, stdout=log, stderr=log)
    for _ in range(200):
        try:
            urllib.request.urlopen(f"http://127.0.0.1:{port}/", timeout=5)
            break
        except urllib.error.HTTPError:
            break
        except OSError:
            time.sleep(0.1)
    return process, Server("ministack", f"http://127.0.0.1:{port}", "test", "test")


@pytest.fixture(scope="session")
def moto() -> Iterator[Server]:
    server, found = moto_server()
    yield found
    server.stop()


@pytest.fixture(scope="session")
def ministack(tmp_path_factory: pytest.TempPathFactory) -> Iterator[Server]:
    process, found = ministack_server(tmp_path_factory.mktemp("ministack"))
    yield found
    process.terminate()
    process.wait(timeout=30)


def use(server: Server, monkeypatch: pytest.MonkeyPatch, environment: Mapping[str, str] | None = None) -> Bucket:
    """Points this process at a server, and makes a bucket there."""
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name, value in {**server.environment, **(environment or {})}.items():
        monkeypatch.setenv(name, value)
    bucket = Bucket(server, f"bucket-{uuid.uuid4().hex[:12]}")
    server.client().create_bucket(Bucket=bucket.name)
    return bucket


@pytest.fixture(params=["moto", "ministack"])
def s3(
    request: pytest.FixtureRequest, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bucket]:
    """An empty bucket on each server, and a cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield use(request.getfixturevalue(request.param), monkeypatch)
    release_copies()


@pytest.fixture
def moto_s3(
    moto: Server, monkeypatch: pytest.MonkeyPatch, tmp_path_factory: pytest.TempPathFactory
) -> Iterator[Bucket]:
    """An empty bucket on moto, and a cache folder of the test's own."""
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path_factory.mktemp("cache")))
    yield use(moto, monkeypatch)
    release_copies()
