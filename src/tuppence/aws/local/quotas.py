"""Service quotas of SageMaker: one for each instance type and use, matched by name."""

from __future__ import annotations

import zlib
from typing import Any

from tuppence.aws.local.conditions import Conditions
from tuppence.aws.local.record import ENDED, Book, Job
from tuppence.aws.local.replies import RefusedError, page
from tuppence.aws.validation import service_model

USES = ("training job usage", "spot training job usage", "training warm pool usage", "processing job usage")
_ENUM = {"processing job usage": "ProcessingInstanceType"}


def quota_name(instance: str, use: str) -> str:
    """The name of a quota, for example `ml.g5.xlarge for spot training job usage`."""
    return f"{instance} for {use}"


def use_of(job: Job) -> str:
    """The use that a job's instances are counted under."""
    if job.kind == "processing":
        return "processing job usage"
    return "spot training job usage" if job.spot else "training job usage"


class QuotaOperations:
    """The operations of Service Quotas, by name, and the check at the creation of a job."""

    def __init__(self, book: Book, conditions: Conditions, region: str, account: str) -> None:
        self.book, self.conditions = book, conditions
        self._arn = f"arn:aws:servicequotas:{region}:{account}:sagemaker"

    def ListServiceQuotas(self, request: dict[str, Any]) -> dict[str, Any]:
        self._require_sagemaker(request)
        model = service_model("sagemaker")
        names = [
            quota_name(instance, use)
            for use in USES
            for instance in model.shape_for(_ENUM.get(use, "TrainingInstanceType")).enum
        ]
        return page([self._quota(name) for name in sorted(names)], request, "Quotas", most=100)

    def GetServiceQuota(self, request: dict[str, Any]) -> dict[str, Any]:
        token: dict[str, Any] = {}
        while True:
            answer = self.ListServiceQuotas({**request, **token})
            for quota in answer["Quotas"]:
                if quota["QuotaCode"] == request["QuotaCode"]:
                    return {"Quota": quota}
            if "NextToken" not in answer:
                raise RefusedError("NoSuchResourceException", "The request failed because the quota does not exist")
            token = {"NextToken": answer["NextToken"]}

    def require(self, job: Job) -> None:
        """Checks a new job against its quota.

        Raises:
            RefusedError: ResourceLimitExceeded.
        """
        for instance in job.instance_types:
            name, wanted = quota_name(instance, use_of(job)), job.count(instance)
            used = sum(
                other.count(instance)
                for other in self.book.of_kind(job.kind)
                if other is not job
                and other.status not in ENDED
                and use_of(other) == use_of(job)
                and instance in other.instance_types
            )
            limit = self.value(name)
            if used + wanted > limit:
                raise RefusedError(
                    "ResourceLimitExceeded",
                    f"The account-level service limit '{name}' is {limit:g} Instances, with current utilization of "
                    f"{used} Instances and a request delta of {wanted} Instances. Please use AWS Service Quotas to "
                    "request an increase for this quota. If AWS Service Quotas is not available, contact AWS support "
                    "to request an increase for this quota.",
                )

    def value(self, name: str) -> float:
        """Instances that a quota allows."""
        return self.conditions.quotas.get(name, self.conditions.default_quota)

    def _quota(self, name: str) -> dict[str, Any]:
        code = f"L-{zlib.crc32(name.encode()):08X}"
        return {
            "ServiceCode": "sagemaker",
            "ServiceName": "Amazon SageMaker",
            "QuotaArn": f"{self._arn}/{code}",
            "QuotaCode": code,
            "QuotaName": name,
            "Value": self.value(name),
            "Unit": "None",
            "Adjustable": True,
            "GlobalQuota": False,
        }

    def _require_sagemaker(self, request: dict[str, Any]) -> None:
        if request["ServiceCode"] != "sagemaker":
            raise RefusedError("NoSuchResourceException", f"no quotas of {request['ServiceCode']} here")
