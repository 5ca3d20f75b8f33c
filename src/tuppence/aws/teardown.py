"""Deletes the stack of `tuppence aws init` with its bucket, and proves that nothing of it is left."""

from __future__ import annotations

import time
from collections.abc import Callable, Iterator
from dataclasses import dataclass

from tuppence.aws import buckets
from tuppence.aws.buckets import Contents
from tuppence.aws.stack import OnEvent, describe, events_until_now, require_ours, wait
from tuppence.aws.tags import PREFIX
from tuppence.aws.template import DEFAULT_NAME, stack_name
from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

_MISSING = ("NoSuchEntity", "NoSuchBucket", "404", "NotFound", "NotFoundException")
_PROOF_TRIES = 5
_PROOF_SECONDS = 2.0


@dataclass(frozen=True)
class Doomed:
    """What a deletion of a stack would delete.

    Attributes:
        region, stack, stack_id: the stack.
        resources: (type, physical name) of what it has.
        contents: what each of its buckets holds, by the name of the bucket.
        attached: (kind, name, policy ARN) of the users, groups and roles that have the launcher's policy.
    """

    region: str
    stack: str
    stack_id: str
    resources: tuple[tuple[str, str], ...]
    contents: dict[str, Contents]
    attached: tuple[tuple[str, str, str], ...]


def examine(region: str | None = None, name: str = DEFAULT_NAME) -> Doomed | None:
    """Returns what deleting a stack would delete; None if there is no such stack.

    Raises:
        InputError: tuppence did not create the stack, or jobs that use it are still running.
        AwsError: AWS cannot be asked.
    """
    formation = client("cloudformation", region=region)
    found = describe(formation, stack_name(name))
    if found is None:
        return None
    require_ours(found)
    where = str(formation.meta.region_name)
    running = list(_running_jobs(where))
    if running:
        raise InputError(
            f"{running[0]} is still running" + (f", and {len(running) - 1} more" if len(running) > 1 else ""),
            "wait, or stop what runs: tuppence aws sweep --delete",
        )
    stack_id = found["StackId"]
    pages = formation.get_paginator("list_stack_resources").paginate(StackName=stack_id)
    listed = [one for page in pages for one in page["StackResourceSummaries"]]
    resources = tuple((one["ResourceType"], str(one.get("PhysicalResourceId") or "")) for one in listed)
    resources = tuple((kind, name) for kind, name in resources if name)
    contents = {
        name: buckets.measure(name, where)
        for kind, name in resources
        if kind == "AWS::S3::Bucket" and _exists(kind, name, where)
    }
    attached = tuple(
        one
        for kind, name in resources
        if kind == "AWS::IAM::ManagedPolicy" and _exists(kind, name, where)
        for one in _attachments(name, where)
    )
    return Doomed(where, found["StackName"], stack_id, resources, contents, attached)


def bucket_names(region: str, stack: str) -> set[str]:
    """Returns the names of the buckets of a stack, by its full name."""
    pages = client("cloudformation", region=region).get_paginator("list_stack_resources").paginate(StackName=stack)
    rows = (row for page in pages for row in page["StackResourceSummaries"])
    return {str(row.get("PhysicalResourceId")) for row in rows if row["ResourceType"] == "AWS::S3::Bucket"}


def destroy(
    doomed: Doomed,
    on_event: OnEvent | None = None,
    on_deleted: Callable[[int], object] | None = None,
    *,
    pause: Callable[[float], object] = time.sleep,
) -> None:
    """Empties the buckets, detaches the policy, deletes the stack, and looks for each of its resources again.

    Args:
        doomed: what `examine` returned.
        on_event: called for each event of a resource.
        on_deleted: called with the number of deleted versions and uploads.
        pause: called with the seconds between two questions.

    Raises:
        InputError: a resource could not be deleted, or still exists; the message has its name.
        AwsError: AWS refuses a call.
    """
    for bucket in doomed.contents:
        buckets.empty(bucket, doomed.region, on_deleted)
    iam = client("iam", region=doomed.region)
    for kind, name, policy in doomed.attached:
        detach = {"user": iam.detach_user_policy, "group": iam.detach_group_policy, "role": iam.detach_role_policy}[
            kind
        ]
        detach(**{f"{kind.capitalize()}Name": name, "PolicyArn": policy})
    formation = client("cloudformation", region=doomed.region)
    known = events_until_now(formation, doomed.stack_id)
    formation.delete_stack(StackName=doomed.stack_id)
    wait(formation, doomed.stack_id, known, on_event, pause=pause)
    left = remaining(doomed)
    for _ in range(_PROOF_TRIES):  # IAM and S3 show a deletion with a delay
        if not left:
            return
        pause(_PROOF_SECONDS)
        left = remaining(doomed)
    kind, name = left[0]
    raise InputError(f"{kind} {name} still exists although the stack is deleted", "delete it in AWS's console")


def remaining(doomed: Doomed) -> list[tuple[str, str]]:
    """Returns the resources of a stack that still exist, as (type, name), each asked for by its own service."""
    formation = client("cloudformation", region=doomed.region)
    left = [(kind, name) for kind, name in doomed.resources if _exists(kind, name, doomed.region)]
    if describe(formation, doomed.stack) is not None:
        left.append(("AWS::CloudFormation::Stack", doomed.stack))
    return left


def _exists(kind: str, name: str, region: str) -> bool:
    """Whether a resource exists. The policy of a bucket goes with its bucket."""
    try:
        if kind == "AWS::S3::Bucket":
            client("s3", region=region).head_bucket(Bucket=name)
        elif kind == "AWS::IAM::Role":
            client("iam", region=region).get_role(RoleName=name)
        elif kind == "AWS::IAM::ManagedPolicy":
            client("iam", region=region).get_policy(PolicyArn=name)
        elif kind == "AWS::Budgets::Budget":
            account = client("sts", region=region).get_caller_identity()["Account"]
            client("budgets", region="us-east-1").describe_budget(AccountId=account, BudgetName=name)
        else:
            return False
    except AwsError as error:
        if error.code in _MISSING:
            return False
        raise
    return True


def _attachments(policy: str, region: str) -> Iterator[tuple[str, str, str]]:
    iam = client("iam", region=region)
    for page in iam.get_paginator("list_entities_for_policy").paginate(PolicyArn=policy):
        for kind in ("user", "group", "role"):
            for one in page.get(f"Policy{kind.capitalize()}s", ()):
                yield kind, one[f"{kind.capitalize()}Name"], policy


def _running_jobs(region: str) -> Iterator[str]:
    sagemaker = client("sagemaker", region=region)
    for operation, list_key, name_key in (
        ("list_training_jobs", "TrainingJobSummaries", "TrainingJobName"),
        ("list_processing_jobs", "ProcessingJobSummaries", "ProcessingJobName"),
    ):
        for status in ("InProgress", "Stopping"):
            pages = sagemaker.get_paginator(operation).paginate(StatusEquals=status, NameContains=PREFIX)
            for page in pages:
                yield from (one[name_key] for one in page[list_key] if one[name_key].startswith(PREFIX))
