"""Clients of boto3 whose answers are given by the tests (botocore's Stubber checks them), and S3 in memory."""

from __future__ import annotations

from collections.abc import Iterator

import boto3
import pytest
from botocore.config import Config
from botocore.stub import Stubber
from tests.memory_store import WritableMemoryStore

from tuppence.storage.schemes import SCHEMES


@pytest.fixture
def sagemaker(monkeypatch: pytest.MonkeyPatch) -> Iterator[Stubber]:
    """The client that `tuppence.aws.jobs` uses, answering what the test adds, in that order."""
    made = boto3.client(
        "sagemaker",
        region_name="us-east-1",
        aws_access_key_id="test",
        aws_secret_access_key="test",
        config=Config(retries={"total_max_attempts": 1}),
    )
    monkeypatch.setattr("tuppence.aws.jobs.client", lambda service, region=None: made)
    with Stubber(made) as stubber:
        yield stubber
        stubber.assert_no_pending_responses()


@pytest.fixture
def objects(monkeypatch: pytest.MonkeyPatch) -> dict[str, bytes]:
    """What is in S3, by URL."""
    found: dict[str, bytes] = {}
    monkeypatch.setitem(SCHEMES, "s3", lambda url: WritableMemoryStore(url, found))
    return found
