"""Rules on the parameters of a training job that AWS's description of its services does not hold.

They come from the texts of that description and from the error messages of AWS that people quote.
"""

from __future__ import annotations

from collections.abc import Iterator, Mapping
from typing import Any

LONGEST_RUNTIME = 28 * 86_400
DEFAULT_RUNTIME = 86_400
LOCAL_STORAGE = (
    "ml.g4dn",
    "ml.g5",
    "ml.g6",
    "ml.g7",
    "ml.p4",
    "ml.p5",
    "ml.p6",
    "ml.trn",
    "ml.r5d",
    "ml.m5d",
    "ml.c5d",
)


def training_rules(request: Mapping[str, Any]) -> list[str]:
    """The rules that the parameters of CreateTrainingJob break, as sentences for an error.

    Example:
        >>> training_rules({"StoppingCondition": {"MaxWaitTimeInSeconds": 60}, "ResourceConfig": {"InstanceType": "x"}})
        ['MaxWaitTimeInSeconds is allowed with EnableManagedSpotTraining only']
    """
    return [*_limits(request), *_instances(request), *_image(request), *_tags(request)]


def _limits(request: Mapping[str, Any]) -> Iterator[str]:
    limits = request.get("StoppingCondition", {})
    runtime, wait = limits.get("MaxRuntimeInSeconds", DEFAULT_RUNTIME), limits.get("MaxWaitTimeInSeconds")
    if runtime > LONGEST_RUNTIME:
        yield f"MaxRuntimeInSeconds is {runtime:,}, more than 28 days"
    if not request.get("EnableManagedSpotTraining"):
        if wait is not None:
            yield "MaxWaitTimeInSeconds is allowed with EnableManagedSpotTraining only"
    elif wait is None or wait < runtime:
        yield (
            "Invalid MaxWaitTimeInSeconds. It must be present and be greater than or equal to MaxRuntimeInSeconds, "
            f"which is {runtime:,}"
        )
    elif request.get("ResourceConfig", {}).get("KeepAlivePeriodInSeconds"):
        yield "KeepAlivePeriodInSeconds is not supported with EnableManagedSpotTraining"


def _instances(request: Mapping[str, Any]) -> Iterator[str]:
    resources = request.get("ResourceConfig", {})
    preferences = resources.get("InstancePreferences")
    types = [preference["InstanceType"] for preference in preferences or []]
    if preferences:
        if "InstanceType" in resources:
            yield "InstancePreferences and InstanceType exclude each other"
        if request.get("EnableManagedSpotTraining"):
            yield "InstancePreferences and EnableManagedSpotTraining exclude each other"
        counts = sum("InstanceCount" in preference for preference in preferences)
        if counts not in (0, len(preferences)) or (counts > 0) == ("InstanceCount" in resources):
            yield "InstanceCount must be set for each of InstancePreferences, or once in ResourceConfig"
        if len(set(types)) < len(types):
            yield "an instance type can appear only once in InstancePreferences"
    elif "InstanceType" not in resources:
        yield "ResourceConfig needs InstanceType or InstancePreferences"
    else:
        types = [resources["InstanceType"]]
    if any(name.startswith(LOCAL_STORAGE) for name in types) and "VolumeKmsKeyId" in resources:
        yield "VolumeKmsKeyId is not supported for instance types with local storage"
    for member in ("SelectedInstanceType", "SelectedInstanceCount"):
        if member in resources:
            yield f"{member} is read-only"


def _image(request: Mapping[str, Any]) -> Iterator[str]:
    specification = request.get("AlgorithmSpecification")
    if specification is not None and ("TrainingImage" in specification) == ("AlgorithmName" in specification):
        yield "exactly one of TrainingImage and AlgorithmName must be set"
    names = [channel["ChannelName"] for channel in request.get("InputDataConfig", [])]
    if {".", ".."} & set(names):
        yield "a ChannelName cannot be . or .."
    if len(set(names)) < len(names):
        yield "a ChannelName can appear only once in InputDataConfig"


def _tags(request: Mapping[str, Any]) -> Iterator[str]:
    keys = [tag["Key"] for tag in request.get("Tags", [])]
    if len(set(keys)) < len(keys):
        yield "a key can appear only once in Tags"
    if any(key.lower().startswith("aws:") for key in keys):
        yield "the prefix aws: of tag keys is reserved"
