from __future__ import annotations

import boto3
import pytest
from botocore.stub import Stubber

from tuppence.aws import quotas
from tuppence.aws.quotas import Quota, find_quota, quota_name, require_quota
from tuppence.core.errors import InputError
from tuppence.storage import AwsError


@pytest.fixture
def service(monkeypatch: pytest.MonkeyPatch) -> Stubber:
    made = boto3.client("service-quotas", region_name="us-east-1", aws_access_key_id="t", aws_secret_access_key="t")
    monkeypatch.setattr(quotas, "client", lambda name, region=None: made)
    return Stubber(made)


def test_spot_and_on_demand_have_quotas_of_their_own(service: Stubber) -> None:
    names = [quota_name("ml.g5.xlarge", spot=False), quota_name("ml.g5.xlarge", spot=True)]
    rows = [
        {"QuotaName": name, "Value": value, "QuotaCode": f"L-{value:g}"}
        for name, value in zip(names, (4.0, 1.0), strict=True)
    ]
    for spot, value in ((False, 4.0), (True, 1.0)):
        service.add_response(
            "list_service_quotas", {"Quotas": rows[:1], "NextToken": "more"}, {"ServiceCode": "sagemaker"}
        )
        if spot:
            asked = {"ServiceCode": "sagemaker", "NextToken": "more"}
            service.add_response("list_service_quotas", {"Quotas": rows[1:]}, asked)
        with service:
            assert find_quota("ml.g5.xlarge", spot=spot, region=None).value == value
        service.assert_no_pending_responses()


def test_a_quota_that_aws_does_not_list_is_zero(service: Stubber) -> None:
    service.add_response("list_service_quotas", {"Quotas": []})
    with service:
        assert find_quota("ml.g5.xlarge", spot=True, region=None).value == 0


def test_too_small_a_quota_says_how_to_ask_for_more() -> None:
    require_quota(Quota("q", 2.0), 2, "us-east-1")
    require_quota(Quota("q", None), 2, "us-east-1")
    with pytest.raises(InputError, match="'q' in us-east-1 is 1, and the job needs 2") as refused:
        require_quota(Quota("q", 1.0, "L-1"), 2, "us-east-1")
    assert "--quota-code L-1 --desired-value 2" in refused.value.hint


@pytest.mark.parametrize(("code", "raises"), [("AccessDeniedException", False), ("ThrottlingException", True)])
def test_only_a_missing_right_leaves_the_quota_unknown(
    code: str, raises: bool, monkeypatch: pytest.MonkeyPatch
) -> None:
    def refuse(name: str, region: str | None = None) -> None:
        raise AwsError("refused", code=code)

    monkeypatch.setattr(quotas, "client", refuse)
    if raises:
        with pytest.raises(AwsError):
            find_quota("ml.g5.xlarge", spot=True, region=None)
    else:
        assert find_quota("ml.g5.xlarge", spot=True, region=None).value is None
