"""Service quotas of SageMaker, looked up by name before a launch: each type and kind of use has one of its own."""

from __future__ import annotations

from dataclasses import dataclass

from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

SERVICE = "sagemaker"
_DENIED = ("AccessDenied", "AccessDeniedException", "UnauthorizedOperation")


@dataclass(frozen=True)
class Quota:
    """How many instances of a type may run at the same time.

    Attributes:
        name: as AWS spells it.
        value: None if we may not ask.
    """

    name: str
    value: float | None
    code: str = ""


def quota_name(instance: str, *, spot: bool, use: str = "training job") -> str:
    """The name of the quota of training jobs, or of another use.

    Example:
        >>> quota_name("ml.g5.xlarge", spot=True), quota_name("ml.m5.xlarge", spot=False, use="processing job")
        ('ml.g5.xlarge for spot training job usage', 'ml.m5.xlarge for processing job usage')
    """
    return f"{instance} for {'spot ' if spot else ''}{use} usage"


def find_quota(instance: str, *, spot: bool, region: str | None, use: str = "training job") -> Quota:
    """Looks a quota up.

    Raises:
        AwsError: AWS does not answer. A refusal of the right to ask is no error: `value` is None then.
    """
    name = quota_name(instance, spot=spot, use=use)
    try:
        pages = client("service-quotas", region=region).get_paginator("list_service_quotas")
        for page in pages.paginate(ServiceCode=SERVICE):
            for one in page["Quotas"]:
                if one["QuotaName"] == name:
                    return Quota(name, float(one["Value"]), one.get("QuotaCode", ""))
    except AwsError as error:
        if error.code in _DENIED:
            return Quota(name, None)
        raise
    return Quota(name, 0.0)


def training_quotas(*, spot: bool, region: str | None = None) -> dict[str, float]:
    """Returns how many instances training jobs may use at once, for each type with more than none, sorted by type.

    Raises:
        AwsError: AWS does not answer, or we may not ask.
    """
    end = quota_name("", spot=spot)
    found = {}
    for page in (
        client("service-quotas", region=region).get_paginator("list_service_quotas").paginate(ServiceCode=SERVICE)
    ):
        for one in page["Quotas"]:
            instance = one["QuotaName"].removesuffix(end)
            if instance.startswith("ml.") and " " not in instance and one["Value"] > 0:
                found[instance] = float(one["Value"])
    return dict(sorted(found.items()))


def require_quota(quota: Quota, count: int, region: str) -> None:
    """Checks that a job fits.

    Raises:
        InputError: the quota is too small.
    """
    if quota.value is not None and quota.value < count:
        code = quota.code or "CODE"
        raise InputError(
            f"the quota '{quota.name}' in {region} is {quota.value:g}, and the job needs {count}",
            "ask AWS for more, which can take a day: aws service-quotas request-service-quota-increase "
            f"--region {region} --service-code {SERVICE} --quota-code {code} --desired-value {count}",
        )
