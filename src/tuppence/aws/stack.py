"""The CloudFormation stack of `tuppence aws init`: preview, create or update, outputs.

A change set is made first. It says what would change, and the caller executes or discards it. No state is kept on this
machine: `outputs` asks CloudFormation for the bucket and the role by the name of the stack. `aws.teardown` deletes the
stack.
"""

from __future__ import annotations

import contextlib
import difflib
import time
import uuid
from collections.abc import Callable, Iterator
from dataclasses import asdict, dataclass
from typing import Any

from tuppence.aws.tags import PREFIX, as_mapping, is_ours, tags
from tuppence.aws.template import DEFAULT_NAME, StackSettings, as_text, render, stack_name
from tuppence.aws.validation import service_model, validate
from tuppence.core.errors import InputError
from tuppence.cost.hardware import instances
from tuppence.cost.rates import rate_of
from tuppence.storage import AwsError, client

POLL_SECONDS = 3.0
MOST_SECONDS = 1800.0
"""How long a change may last before we stop waiting. CloudFormation goes on."""

_ONLY_DELETED = ("ROLLBACK_COMPLETE", "ROLLBACK_FAILED", "CREATE_FAILED", "DELETE_FAILED")
_NOTHING_TO_DO = ("didn't contain changes", "No updates are to be performed")

OnEvent = Callable[[str, str, str], object]
"""Called with the name of a resource in the template, its type, and its status."""


@dataclass(frozen=True)
class StackOutputs:
    """What a stack provides to jobs.

    Attributes:
        region, stack: where the stack is, and its name in CloudFormation.
        bucket: its bucket.
        role_arn: the role that jobs run with.
        launcher_policy_arn: the policy to attach to people who launch jobs.
        max_runtime_seconds: the longest job that the policy allows.
        instances: the instance types that the policy allows.
    """

    region: str
    stack: str
    bucket: str
    role_arn: str
    launcher_policy_arn: str
    max_runtime_seconds: int
    instances: tuple[str, ...]

    def as_dict(self) -> dict[str, Any]:
        """The values for JSON."""
        return asdict(self)


@dataclass(frozen=True)
class ChangeSet:
    """A change that CloudFormation has computed and not made.

    Attributes:
        region, stack, arn: of the change set.
        creates: whether the stack does not exist yet.
        changes: (action, resource, type) of each resource, such as ("Add", "Bucket", "AWS::S3::Bucket").
    """

    region: str
    stack: str
    arn: str
    creates: bool
    changes: tuple[tuple[str, str, str], ...]


def outputs(region: str | None = None, name: str = DEFAULT_NAME) -> StackOutputs:
    """Returns the bucket, the role and the bounds of a stack.

    Args:
        region: by default that of the environment or the profile.
        name: the short name that `tuppence aws init --name` got.

    Raises:
        InputError: there is no such stack, or it is not complete.
        AwsError: CloudFormation cannot be asked.
    """
    formation = client("cloudformation", region=region)
    found = describe(formation, stack_name(name))
    where = str(formation.meta.region_name)
    create = f"tuppence aws init --region {where}" + ("" if name == DEFAULT_NAME else f" --name {name}")
    if found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS":
        raise InputError(f"there is no stack {stack_name(name)} in {where}", f"create it: {create}")
    values = {one["OutputKey"]: str(one["OutputValue"]) for one in found.get("Outputs", ())}
    try:
        return StackOutputs(
            region=where,
            stack=found["StackName"],
            bucket=values["Bucket"],
            role_arn=values["RoleArn"],
            launcher_policy_arn=values["LauncherPolicyArn"],
            max_runtime_seconds=int(values["MaxRuntimeInSeconds"]),
            instances=tuple(values["InstanceTypes"].split(",")),
        )
    except (KeyError, ValueError) as error:
        raise InputError(
            f"the stack {found['StackName']} in {where} has no usable outputs (its status is {found['StackStatus']})",
            f"update it: {create}",
        ) from error


def require_instances(settings: StackSettings) -> None:
    """Checks that SageMaker knows the instance types, and that our container image runs on them.

    Raises:
        InputError: it does not know one, or the image does not run there.
    """
    known = set(service_model("sagemaker").shape_for("TrainingInstanceType").enum)
    for instance in settings.instances:
        if instance not in known:
            near = difflib.get_close_matches(instance, known, n=3, cutoff=0.5) or ["ml.g4dn.xlarge"]
            raise InputError(
                f"SageMaker has no instance type {instance!r} for training", f"types are for example {', '.join(near)}"
            )
        machine = instances().get(instance.removeprefix("ml."))
        if machine is not None and machine.refused:
            raise InputError(f"{instance} {machine.refused}", "choose another type")


def dearest_job(settings: StackSettings) -> tuple[str, float] | None:
    """Returns the instance type whose longest job costs most, with the dollars for one machine.

    Types without a known price are left out; None if none has a price.
    """
    found = []
    for instance in settings.instances:
        with contextlib.suppress(InputError):
            found.append((instance, rate_of(instance, region=settings.region).rate_usd_per_hour * settings.max_hours))
    return max(found, key=lambda one: one[1], default=None)


def describe(formation: Any, stack: str) -> dict[str, Any] | None:
    """Returns CloudFormation's description of a stack by its name or ARN; None if there is no such stack."""
    try:
        found: list[dict[str, Any]] = formation.describe_stacks(StackName=stack)["Stacks"]
    except AwsError as error:
        if error.code == "ValidationError" and "does not exist" in error.message:
            return None
        raise
    return found[0] if found else None


def require_ours(found: dict[str, Any]) -> None:
    """Checks that tuppence created a stack, by its tags.

    Raises:
        InputError: somebody else did.
    """
    if not is_ours("", as_mapping(found.get("Tags", ()))):
        raise InputError(
            f"the stack {found['StackName']} exists, and tuppence did not create it", "choose another --name"
        )


def prepare(settings: StackSettings, *, pause: Callable[[float], object] = time.sleep) -> ChangeSet | None:
    """Asks CloudFormation what creating or updating the stack would change. Nothing is changed yet.

    Returns:
        The change set; None if the stack is already as it should be.

    Raises:
        InputError: the stack belongs to somebody else, is being changed, or can only be deleted.
        AwsError: CloudFormation refuses the template, or cannot be asked.
    """
    formation = client("cloudformation", region=settings.region)
    stack = stack_name(settings.name)
    found = describe(formation, stack)
    creates = found is None or found["StackStatus"] == "REVIEW_IN_PROGRESS"
    if found is not None and not creates:
        require_ours(found)
        _require_changeable(found, settings)
    request: dict[str, Any] = {
        "StackName": stack,
        "ChangeSetName": f"{PREFIX}{uuid.uuid4().hex}",
        "ChangeSetType": "CREATE" if creates else "UPDATE",
        "TemplateBody": as_text(render(settings)),
        "Capabilities": ["CAPABILITY_IAM"],
        "Tags": tags("stack"),
    }
    if creates:
        request["OnStackFailure"] = "DELETE"  # nothing half-made is left, and the next try can create
    validate("cloudformation", "CreateChangeSet", request)
    arn = formation.create_change_set(**request)["Id"]
    made = _settled_change_set(formation, arn, pause)
    if made["Status"] == "FAILED":
        reason = str(made.get("StatusReason", "no reason is given"))
        discard(ChangeSet(settings.region, stack, arn, creates, ()))
        if any(text in reason for text in _NOTHING_TO_DO):
            return None
        raise InputError(f"CloudFormation cannot change the stack {stack}: {reason}", "see the reason")
    changes = [one["ResourceChange"] for one in made.get("Changes", ()) if "ResourceChange" in one]
    named = tuple((one["Action"], one["LogicalResourceId"], one["ResourceType"]) for one in changes)
    return ChangeSet(settings.region, stack, arn, creates, named)


def discard(change: ChangeSet) -> None:
    """Deletes a change set, and the empty stack that CloudFormation made for it."""
    formation = client("cloudformation", region=change.region)
    formation.delete_change_set(ChangeSetName=change.arn)
    if change.creates:
        found = describe(formation, change.stack)
        if found is not None and found["StackStatus"] == "REVIEW_IN_PROGRESS":
            formation.delete_stack(StackName=found["StackId"])


def execute(
    change: ChangeSet, on_event: OnEvent | None = None, *, pause: Callable[[float], object] = time.sleep
) -> None:
    """Makes a change, and waits until CloudFormation has finished.

    Args:
        change: what `prepare` returned.
        on_event: called for each event of a resource, in order.
        pause: called with the seconds between two questions to CloudFormation.

    Raises:
        InputError: a resource failed; the message has the first one and CloudFormation's reason.
    """
    formation = client("cloudformation", region=change.region)
    found = describe(formation, change.stack)
    if found is None:
        raise InputError(f"the stack {change.stack} has disappeared", "run the same command again")
    known = {event["EventId"] for event in _events(formation, found["StackId"])}
    formation.execute_change_set(ChangeSetName=change.arn)
    wait(formation, found["StackId"], known, on_event, pause=pause)


def wait(
    formation: Any,
    stack_id: str,
    known: set[str],
    on_event: OnEvent | None = None,
    *,
    pause: Callable[[float], object] = time.sleep,
) -> str:
    """Waits until a stack's operation has ended, and returns its last status.

    Args:
        formation: client of CloudFormation.
        stack_id: ARN of the stack; by its name a deleted stack cannot be found.
        known: identifiers of the events from before the operation.
        on_event: called for each new event of a resource.

    Raises:
        InputError: the operation failed or was rolled back, or lasts longer than `MOST_SECONDS`.
    """
    first_failure = ""
    waited = 0.0
    while True:
        found = describe(formation, stack_id)
        status = "DELETE_COMPLETE" if found is None else str(found["StackStatus"])
        new = [event for event in _events(formation, stack_id) if event["EventId"] not in known]
        new.reverse()  # AWS lists the newest first, and several have the same time
        for event in sorted(new, key=lambda one: one["Timestamp"]):
            known.add(event["EventId"])
            state, name = str(event.get("ResourceStatus", "")), str(event.get("LogicalResourceId", ""))
            reason = str(event.get("ResourceStatusReason", ""))
            if on_event is not None:
                on_event(name, str(event.get("ResourceType", "")), state)
            if state.endswith("_FAILED") and "cancelled" not in reason and not first_failure:
                first_failure = f"{name} ({event.get('ResourceType', '')}): {' '.join(reason.split())}"
        if status.endswith("_COMPLETE") and "ROLLBACK" not in status and not first_failure:
            return status
        if not status.endswith("_IN_PROGRESS"):
            what = first_failure or str((found or {}).get("StackStatusReason", "no reason is given"))
            raise InputError(
                f"the stack ended as {status}: {what}", "correct the cause, and run the same command again"
            )
        if waited >= MOST_SECONDS:
            raise InputError(
                f"the stack is still {status} after {MOST_SECONDS / 60:.0f} minutes",
                "CloudFormation goes on; run the same command again later",
            )
        pause(POLL_SECONDS)
        waited += POLL_SECONDS


def events_until_now(formation: Any, stack_id: str) -> set[str]:
    """Returns the identifiers of all events of a stack."""
    return {event["EventId"] for event in _events(formation, stack_id)}


def _require_changeable(found: dict[str, Any], settings: StackSettings) -> None:
    name, status = found["StackName"], str(found["StackStatus"])
    destroy = f"tuppence aws init --destroy --region {settings.region} --name {settings.name}"
    if status in _ONLY_DELETED:
        raise InputError(f"the stack {name} is {status} and can only be deleted", destroy)
    if status == "UPDATE_ROLLBACK_FAILED":
        raise InputError(
            f"the stack {name} is {status}", f"aws cloudformation continue-update-rollback --stack-name {name}"
        )
    if status.endswith("_IN_PROGRESS"):
        raise InputError(f"the stack {name} is being changed ({status})", "wait until it has ended, and try again")


def _settled_change_set(formation: Any, arn: str, pause: Callable[[float], object]) -> dict[str, Any]:
    waited = 0.0
    while True:
        found: dict[str, Any] = formation.describe_change_set(ChangeSetName=arn)
        if not str(found["Status"]).endswith(("_PENDING", "_IN_PROGRESS")):
            return found
        if waited >= MOST_SECONDS:
            raise InputError("CloudFormation does not finish the change set", "run the same command again later")
        pause(POLL_SECONDS)
        waited += POLL_SECONDS


def _events(formation: Any, stack_id: str) -> Iterator[dict[str, Any]]:
    for page in formation.get_paginator("describe_stack_events").paginate(StackName=stack_id):
        yield from page["StackEvents"]
