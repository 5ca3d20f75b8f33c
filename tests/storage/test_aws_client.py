"""`client` gives boto3's clients with our settings and plain errors."""

from __future__ import annotations

import builtins
from typing import Any

import pytest
from botocore.stub import Stubber

from tuppence.core.errors import MissingExtraError
from tuppence.storage import AwsError, client

VARIABLES = (
    *("TUPPENCE_AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3", "AWS_PROFILE"),
    *("AWS_REGION", "AWS_DEFAULT_REGION", "AWS_ACCESS_KEY_ID", "AWS_SECRET_ACCESS_KEY", "AWS_SESSION_TOKEN"),
)


@pytest.fixture(autouse=True)
def nothing_set(monkeypatch: pytest.MonkeyPatch, tmp_path: Any) -> pytest.MonkeyPatch:
    for name in VARIABLES:
        monkeypatch.delenv(name, raising=False)
    for name in ("AWS_CONFIG_FILE", "AWS_SHARED_CREDENTIALS_FILE"):
        monkeypatch.setenv(name, str(tmp_path / "none"))
    monkeypatch.setenv("AWS_EC2_METADATA_DISABLED", "true")
    return monkeypatch


def test_calls_have_time_limits_and_bounded_retries() -> None:
    config = client("s3").meta.config
    assert (config.connect_timeout, config.read_timeout) == (5.0, 30.0)
    assert config.retries == {"mode": "standard", "total_max_attempts": 5}
    assert client("s3") is client("s3")


@pytest.mark.parametrize("variable", ["TUPPENCE_AWS_ENDPOINT", "AWS_ENDPOINT_URL", "AWS_ENDPOINT_URL_S3"])
def test_a_variable_points_the_client_at_another_server(nothing_set: pytest.MonkeyPatch, variable: str) -> None:
    nothing_set.setenv(variable, "http://127.0.0.1:9")
    found = client("s3", region="eu-central-1").meta
    assert (found.endpoint_url, found.region_name) == ("http://127.0.0.1:9", "eu-central-1")
    assert found.config.s3["addressing_style"] == "path"


@pytest.mark.parametrize("variable", ["AWS_REGION", "AWS_DEFAULT_REGION"])
def test_the_region_of_the_environment_is_used(nothing_set: pytest.MonkeyPatch, variable: str) -> None:
    nothing_set.setenv(variable, "eu-west-1")
    assert client("sagemaker").meta.region_name == "eu-west-1"


def test_a_client_without_region_or_credentials_says_so() -> None:
    with pytest.raises(AwsError, match="sagemaker: no AWS region is set"):
        client("sagemaker")
    with pytest.raises(AwsError, match="s3 ListBuckets: no AWS credentials") as caught:
        client("s3").list_buckets()
    assert caught.value.__cause__ is not None


def test_errors_of_calls_and_of_paginators_are_translated() -> None:
    found = client("s3", region="us-east-2")
    with Stubber(found) as stub:
        stub.add_client_error("list_objects_v2", "NoSuchBucket", "gone", 404)
        with pytest.raises(AwsError, match="s3 ListObjectsV2: there is no such bucket"):
            list(found.get_paginator("list_objects_v2").paginate(Bucket="bucket"))
        stub.add_response("list_buckets", {"Buckets": []})
        assert found.list_buckets()["Buckets"] == []


def test_without_boto3_the_error_names_the_extra(nothing_set: pytest.MonkeyPatch) -> None:
    original = builtins.__import__

    def without(name: str, *arguments: Any, **named: Any) -> Any:
        if name.startswith("boto3"):
            raise ImportError(name)
        return original(name, *arguments, **named)

    nothing_set.setattr(builtins, "__import__", without)
    with pytest.raises(MissingExtraError) as caught:
        client("s3")
    assert caught.value.hint == "pip install 'tuppence[aws]'"
