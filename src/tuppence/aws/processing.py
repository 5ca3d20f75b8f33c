"""The request of a processing job that prepares a corpus on several machines: a pure function of what was decided.

Each machine runs `processing_entry`, which reads its part of the corpus from S3 by itself: SageMaker's own
`ShardedByS3Key` would copy the part to the disk first, and cut no file. So the inputs of the job are only its code, its
order, and files of the user's machine such as the tokenizer.
"""

from __future__ import annotations

from collections.abc import Mapping
from dataclasses import dataclass
from typing import Any

from tuppence.aws import code
from tuppence.aws.job import ENTRYPOINT_SCRIPT, GRACE_SECONDS
from tuppence.aws.order import Order
from tuppence.aws.regions import image_uri
from tuppence.aws.tags import tags

INPUTS = "/opt/ml/processing/input"
ENTRY = "tuppence.aws.processing_entry"
MOST_SECONDS = 777_600
MOST_MACHINES = 100
LARGEST_VOLUME_GB = 16_384


@dataclass(frozen=True)
class ProcessingPlan:
    """All that a processing job is.

    Attributes:
        name: of the job.
        order: what it has to do; its output is the folder of the parts.
        region, role_arn: of AWS.
        code_sha256: of the archive.
        inputs: channel → folder in S3, code and order included.
        max_runtime: seconds after which AWS stops the job.
        volume_gb: of each machine.
    """

    name: str
    order: Order
    region: str
    role_arn: str
    code_sha256: str
    inputs: Mapping[str, str]
    max_runtime: int
    volume_gb: int

    @property
    def worst_case_usd(self) -> float:
        """What AWS bills at most: its limit, and what is billed before and after it."""
        seconds = self.max_runtime + self.order.lead_seconds + GRACE_SECONDS + self.order.tail_seconds
        return seconds / 3600 * self.order.rate_usd_per_hour


def request_of(plan: ProcessingPlan) -> dict[str, Any]:
    """The parameters of CreateProcessingJob."""
    return {
        "ProcessingJobName": plan.name,
        "AppSpecification": {
            "ImageUri": image_uri(plan.region, gpu=False),
            "ContainerEntrypoint": [
                *(ENTRYPOINT_SCRIPT, "env", f"PYTHONPATH={INPUTS}/{code.CHANNEL}"),
                *("python3", "-m", code.STARTER.removesuffix(".py"), plan.code_sha256, ENTRY),
            ],
        },
        "RoleArn": plan.role_arn,
        "ProcessingInputs": [_input(name, uri) for name, uri in plan.inputs.items()],
        "ProcessingResources": {
            "ClusterConfig": {
                "InstanceType": plan.order.instances[0],
                "InstanceCount": plan.order.count,
                "VolumeSizeInGB": plan.volume_gb,
            }
        },
        "StoppingCondition": {"MaxRuntimeInSeconds": plan.max_runtime},
        "Tags": tags("processing-job", verb=plan.order.verb),
    }


def _input(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3Uri": uri.rstrip("/") + "/",  # a prefix: without the slash it would match other names too
        "LocalPath": f"{INPUTS}/{name}",
        "S3DataType": "S3Prefix",
        "S3InputMode": "File",
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"InputName": name, "S3Input": source}
