"""One S3 server for all tests of the local SageMaker."""

from __future__ import annotations

import itertools
import sys
import textwrap

import pytest
from tests.aws.local.jobs import BUCKET

from tuppence.aws.local import LocalSageMaker
from tuppence.aws.local.s3_server import S3Server

_numbers = itertools.count()


@pytest.fixture(scope="session")
def s3_server(tmp_path_factory):
    server = S3Server(tmp_path_factory.mktemp("s3"))
    yield server
    server.close()


@pytest.fixture
def local(tmp_path, s3_server):
    """Starts local SageMakers, 100 times as fast as real ones."""
    started = []

    def start(conditions=None, *, folder=tmp_path / "rehearsal", scale=100.0):
        sagemaker = LocalSageMaker(folder, conditions=conditions, scale=scale, s3_endpoint=s3_server.endpoint)
        sagemaker.__enter__()
        started.append(sagemaker)
        sagemaker.client("s3").create_bucket(Bucket=BUCKET)
        return sagemaker

    yield start
    for sagemaker in started:
        sagemaker.__exit__(None, None, None)


@pytest.fixture
def prefix():
    """A prefix of S3 for each test."""
    return f"s3://{BUCKET}/{next(_numbers)}"


@pytest.fixture
def program(tmp_path):
    """Writes a Python program to a file; returns the container's command that runs it."""

    def write(text, *arguments):
        path = tmp_path / f"program-{next(_numbers)}.py"
        path.write_text(textwrap.dedent(text))
        return ["/usr/local/bin/entrypoint.sh", sys.executable, "-S", str(path), *arguments]

    return write
