"""The request of a training job: a pure function from what was decided to the parameters of CreateTrainingJob.

`launch` decides and calls AWS. Limits are those of AWS's own description of the operation (`validation`).
"""

from __future__ import annotations

import math
from collections.abc import Mapping
from dataclasses import dataclass, field
from typing import Any

from tuppence.aws import code
from tuppence.aws.metric_definitions import metric_definitions
from tuppence.aws.order import CHANNEL as ORDER_CHANNEL
from tuppence.aws.order import Order
from tuppence.aws.regions import image_uri
from tuppence.aws.tags import tags
from tuppence.core.errors import InputError
from tuppence.cost.hardware import instances

ENTRYPOINT_SCRIPT = "/usr/local/bin/entrypoint.sh"
"""Of the image; it sets up CUDA's forward compatibility and ends in `exec`, so that Python becomes process 1."""
INPUTS = "/opt/ml/input/data"
MOST_CHANNELS = 20
GRACE_SECONDS = 120.0
"""Between SIGTERM and SIGKILL."""
MOST_SECONDS = 28 * 24 * 3600
SMALLEST_VOLUME_GB = 30
LOCAL_STORAGE = ("g4dn", "g5", "g6", "g7", "p4", "p5", "p6", "trn", "m5d", "c5d", "r5d")
"""Families with disks of their own, for which SageMaker provides no volume."""


@dataclass(frozen=True)
class JobPlan:
    """All that a job is.

    Attributes:
        name: of the job.
        order: what it has to do.
        region, role_arn: of AWS.
        code_uri, order_uri, output_uri: in S3: the folder of the code, that of the order, and the place of SageMaker's
            own outputs, which are small.
        code_sha256: of the archive.
        inputs: channel → folder in S3.
        max_runtime: seconds after which AWS stops the job.
        max_wait: seconds after which AWS gives up a spot job, waiting included; None on demand.
        input_bytes, checkpoint_bytes: for the size of the volume.
        environment: further variables.
    """

    name: str
    order: Order
    region: str
    role_arn: str
    code_uri: str
    order_uri: str
    output_uri: str
    code_sha256: str
    inputs: Mapping[str, str]
    max_runtime: int
    max_wait: int | None
    input_bytes: int = 0
    checkpoint_bytes: float = 0.0
    environment: Mapping[str, str] = field(default_factory=dict)

    @property
    def rate_usd_per_hour(self) -> float:
        return self.order.rate_usd_per_hour

    @property
    def worst_case_usd(self) -> float:
        """What AWS bills at most for this job if our own limits fail: the only bounds that AWS itself states."""
        before = self.max_runtime + self.order.lead_seconds if self.max_wait is None else self.max_wait
        seconds = math.ceil(before + GRACE_SECONDS + self.order.tail_seconds)
        return seconds / 3600 * self.rate_usd_per_hour


def request_of(plan: JobPlan) -> dict[str, Any]:
    """The parameters of CreateTrainingJob.

    Raises:
        InputError: there are too many inputs, or the instances need different images.
    """
    channels = {code.CHANNEL: plan.code_uri, ORDER_CHANNEL: plan.order_uri, **plan.inputs}
    if len(channels) > MOST_CHANNELS:
        most = MOST_CHANNELS - 2
        raise InputError(f"the job has {len(plan.inputs)} inputs on this machine", f"AWS takes {most}: use a folder")
    stopping: dict[str, int] = {"MaxRuntimeInSeconds": plan.max_runtime}
    if plan.max_wait is not None:
        stopping["MaxWaitTimeInSeconds"] = plan.max_wait
    specification: dict[str, Any] = {
        "TrainingImage": image_uri(plan.region, gpu=_has_gpu(plan.order.instances)),
        "TrainingInputMode": "File",
        "ContainerEntrypoint": [
            *(ENTRYPOINT_SCRIPT, "env", f"PYTHONPATH={INPUTS}/{code.CHANNEL}"),
            *("python3", "-m", code.STARTER.removesuffix(".py"), plan.code_sha256),
        ],
    }
    if plan.order.metrics:
        specification["MetricDefinitions"] = metric_definitions()
    return {
        "TrainingJobName": plan.name,
        "AlgorithmSpecification": specification,
        "RoleArn": plan.role_arn,
        "InputDataConfig": [_channel(name, uri) for name, uri in channels.items()],
        "OutputDataConfig": {"S3OutputPath": plan.output_uri, "CompressionType": "NONE"},
        "ResourceConfig": _resources(plan),
        "StoppingCondition": stopping,
        "EnableManagedSpotTraining": plan.order.spot,
        **({"Environment": dict(plan.environment)} if plan.environment else {}),
        "Tags": tags("training-job", verb=plan.order.verb),
    }


def _channel(name: str, uri: str) -> dict[str, Any]:
    source = {
        "S3DataType": "S3Prefix",
        "S3Uri": uri.rstrip("/") + "/",  # a prefix: without the slash it would match other names too
        "S3DataDistributionType": "FullyReplicated",
    }
    return {"ChannelName": name, "DataSource": {"S3DataSource": source}, "InputMode": "File"}


def _resources(plan: JobPlan) -> dict[str, Any]:
    types, count = plan.order.instances, plan.order.count
    found: dict[str, Any] = {"InstanceCount": count}
    if len(types) == 1:
        found["InstanceType"] = types[0]
    else:
        found["InstancePreferences"] = [{"InstanceType": one} for one in types]
    if not plan.order.spot:
        found["KeepAlivePeriodInSeconds"] = 0
    if not all(has_local_storage(one) for one in types):
        found["VolumeSizeInGB"] = volume_gb(plan.input_bytes, plan.checkpoint_bytes)
    return found


def volume_gb(input_bytes: float, checkpoint_bytes: float) -> int:
    """Gigabytes of the volume of a type without disks of its own: inputs, their copies, and checkpoints.

    Example:
        >>> volume_gb(0, 0), volume_gb(20e9, 1.5e9)
        (30, 58)
    """
    return max(SMALLEST_VOLUME_GB, math.ceil((2 * input_bytes + 5 * checkpoint_bytes) / 1e9) + 10)


def has_local_storage(instance: str) -> bool:
    """Whether a type has disks of its own."""
    return instance.removeprefix("ml.").startswith(LOCAL_STORAGE)


def _has_gpu(types: tuple[str, ...]) -> bool:
    known = {one.removeprefix("ml.") in instances() for one in types}
    if len(known) > 1:
        raise InputError(
            f"{' and '.join(types)} need different images: one has a GPU and one has none", "choose others"
        )
    return known.pop()
