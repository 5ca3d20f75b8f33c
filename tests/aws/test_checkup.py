"""`doctor --aws` says who, where, whether the stack exists, and what the quotas allow."""

from __future__ import annotations

from typing import Any

import pytest
from tests.aws.account import REGION, FakeSageMaker, no_pause
from tests.aws.account import account as account
from tests.aws.account import account_server as account_server

from tuppence.aws import checkup, quotas, stack
from tuppence.aws.template import StackSettings
from tuppence.storage import AwsError

QUOTAS = {
    "ml.g5.xlarge for training job usage": 2.0,
    "ml.g4dn.xlarge for spot training job usage": 1.0,
    "ml.g5.xlarge for spot training job usage": 0.0,
    "ml.g5.xlarge for training warm pool usage": 3.0,
    "ml.g5.xlarge for endpoint usage": 4.0,
}


@pytest.fixture
def listed(monkeypatch: pytest.MonkeyPatch) -> dict[str, float]:
    """The quotas that Service Quotas lists; ministack does not know the service."""
    found = dict(QUOTAS)

    class Listing:
        def get_paginator(self, operation: str) -> Listing:
            assert operation == "list_service_quotas"
            return self

        def paginate(self, ServiceCode: str) -> list[dict[str, Any]]:
            assert ServiceCode == "sagemaker"
            return [{"Quotas": [{"QuotaName": name, "Value": value}]} for name, value in found.items()]

    monkeypatch.setattr(quotas, "client", lambda *_, **__: Listing())
    return found


def test_an_account_that_is_not_ready_and_one_that_is(account: FakeSageMaker, listed: dict[str, float]) -> None:
    checks = {check.name: check for check in checkup.examine()}
    assert checks["aws identity"].value == checkup.ROOT, "whom ministack plays"
    assert (checks["aws region"].status, checks["aws region"].value) == ("ok", REGION)
    assert checks["aws stack"].status == "warn"
    assert "tuppence aws init" in checks["aws stack"].hint
    assert checks["aws quota"].value == "2 × ml.g5.xlarge"
    assert checks["aws spot quota"].value == "1 × ml.g4dn.xlarge"

    listed.clear()
    change = stack.prepare(StackSettings(REGION, max_hours=3))
    assert change is not None
    stack.execute(change, pause=no_pause)
    checks = {check.name: check for check in checkup.examine()}
    assert checks["aws stack"].value == f"tuppence-stack: s3://{stack.outputs().bucket}, jobs of up to 3 h"
    assert checks["aws quota"].status == "warn"


def test_credentials_that_aws_refuses_are_the_only_line(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*_: Any, **__: Any) -> Any:
        raise AwsError("sts GetCallerIdentity: the token is expired", "run 'aws sso login'")

    monkeypatch.setattr(checkup, "client", refuse)
    [check] = checkup.examine()
    assert (check.status, check.hint) == ("warn", "run 'aws sso login'")
