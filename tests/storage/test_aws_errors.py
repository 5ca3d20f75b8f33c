"""Errors of boto3 become one line that is wrong and one line to do, without secrets. botocore's own classes are the
inputs."""

from __future__ import annotations

import pickle
from typing import Any

import pytest
from botocore import exceptions

from tuppence.storage.aws_errors import explain_aws_error, redacted


def answered(code: str, status: int, message: str = "said") -> exceptions.ClientError:
    response: Any = {"Error": {"Code": code, "Message": message}, "ResponseMetadata": {"HTTPStatusCode": status}}
    return exceptions.ClientError(response, "PutObject")


@pytest.mark.parametrize(
    ("error", "said", "hint"),
    [
        (exceptions.NoCredentialsError(), "no AWS credentials were found", "aws configure"),
        (exceptions.PartialCredentialsError(provider="env", cred_var="x"), "credentials are incomplete", "aws conf"),
        (exceptions.NoRegionError(), "no AWS region is set", "AWS_REGION"),
        (exceptions.ProfileNotFound(profile="me"), r"profile \(me\) could not be found", "AWS_PROFILE"),
        (exceptions.EndpointConnectionError(endpoint_url="http://127.0.0.1:9/"), "Could not connect", "the network"),
        (exceptions.SSLError(endpoint_url="https://h", error="bad"), "SSL validation failed", "the network"),
        (answered("AccessDenied", 403, "Access Denied"), "access denied", "allow s3:PutObject"),
        (answered("NoSuchBucket", 404), "no such bucket", "name of the bucket"),
        (answered("ExpiredToken", 400, "The token has expired"), "token has expired", "sso login"),
        (answered("SlowDown", 503), "SlowDown", "try again"),
    ],
)
def test_every_known_error_says_what_is_wrong_and_what_to_do(error: Exception, said: str, hint: str) -> None:
    found = explain_aws_error(error, "s3", "PutObject", about="s3://bucket/key")
    assert found.message.startswith("s3://bucket/key: s3 PutObject: ")
    with pytest.raises(type(found), match=said):
        raise found
    assert hint in found.hint
    assert "\n" not in found.message + found.hint
    assert pickle.loads(pickle.dumps(found)).code == found.code  # noqa: S301


def test_errors_are_told_apart_by_what_a_caller_may_do() -> None:
    for code, status in (("NoSuchKey", 404), ("404", 404)):
        assert explain_aws_error(answered(code, status), "s3").is_missing
    assert not explain_aws_error(answered("NoSuchBucket", 404), "s3").is_missing
    assert explain_aws_error(answered("PreconditionFailed", 412), "s3").is_conflict
    assert explain_aws_error(answered("ConditionalRequestConflict", 409), "s3").is_conflict
    assert explain_aws_error(answered("InternalError", 500), "s3").may_have_happened
    lost = explain_aws_error(exceptions.ReadTimeoutError(endpoint_url="http://h"), "s3")
    assert lost.may_have_happened
    assert lost.is_temporary
    assert not explain_aws_error(exceptions.EndpointConnectionError(endpoint_url="http://h"), "s3").may_have_happened
    assert not explain_aws_error(answered("AccessDenied", 403), "s3").is_temporary


def test_no_secret_is_shown(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "planted/secret+key")
    said = "the key planted/secret+key of AKIAIOSFODNN7EXAMPLE; http://me:word@h/k?X-Amz-Security-Token=tok&x=1"
    for text in (redacted(said), explain_aws_error(answered("Odd", 400, said), "s3").message):
        assert not any(secret in text for secret in ("planted", "AKIAIOSF", "word", "tok&"))
        assert "x=1" in text
    program = exceptions.CredentialRetrievalError(provider="custom-process", error_msg="token hunter2")
    assert "hunter2" not in explain_aws_error(program, "s3").message
