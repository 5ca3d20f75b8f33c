"""The kinds of resources outside SageMaker that the sweep finds and removes: images, logs, schedules, stacks, buckets.

Others' log groups are listed if they are SageMaker's. Others' buckets are all listed, from their first thousand
versions, so their size is a lower bound.
"""

from __future__ import annotations

from collections.abc import Iterator

from tuppence.aws import buckets, teardown
from tuppence.aws.findings import Cost, Finding, Kind, Place, storage_cost
from tuppence.aws.regions import partition
from tuppence.aws.tags import PREFIX, as_mapping, is_ours
from tuppence.storage import AwsError

SAGEMAKER_LOGS = "/aws/sagemaker/"
_SHARED_LOGS = ("/aws/sagemaker/TrainingJobs", "/aws/sagemaker/ProcessingJobs", "/aws/sagemaker/TransformJobs")
_OTHERS_PAGES = 1


def _find_schedules(place: Place) -> Iterator[Finding]:
    for row in place.rows("scheduler", "list_schedules", "Schedules", NamePrefix=PREFIX):
        name = f"{row.get('GroupName', 'default')}/{row['Name']}"
        yield Finding("schedule", name, place.region, True, str(row.get("State", "")), 0.0, "starts something later")


def _remove_schedule(place: Place, found: Finding) -> str:
    group, _, name = found.name.partition("/")
    place.client("scheduler").delete_schedule(GroupName=group, Name=name)
    return "deleted"


def _find_images(place: Place) -> Iterator[Finding]:
    for row in place.rows("ecr", "describe_repositories", "repositories"):
        name = str(row["repositoryName"])
        if not place.is_ours(name, str(row["repositoryArn"])):
            continue
        images = place.rows("ecr", "describe_images", "imageDetails", repositoryName=name)
        size = sum(int(image.get("imageSizeInBytes", 0)) for image in images)
        cost = storage_cost(size, "ECR", "storage", "images", place.region)
        yield Finding("image-repository", name, place.region, True, "", cost.usd_per_day, cost.basis)


def _remove_images(place: Place, found: Finding) -> str:
    place.client("ecr").delete_repository(repositoryName=found.name, force=True)
    return "deleted"


def _find_logs(place: Place) -> Iterator[Finding]:
    prefixes = (SAGEMAKER_LOGS, PREFIX)
    for prefix in prefixes:
        for row in place.rows("logs", "describe_log_groups", "logGroups", logGroupNamePrefix=prefix):
            name = str(row["logGroupName"])
            cost = storage_cost(int(row.get("storedBytes", 0)), "CloudWatch", "storage", "logs", place.region)
            arn = str(row.get("arn", "")).removesuffix(":*")
            if name in _SHARED_LOGS:  # of all jobs of the account, so only the streams in it are ours
                streams = list(_streams(place, name))
                if streams:
                    basis = f"{len(streams)} of our streams in a log group with {cost.basis}"
                    yield Finding("log-streams", name, place.region, True, "", cost.usd_per_day, basis)
                    continue
            yield place.finding("log-group", name, arn, "", cost)


def _streams(place: Place, group: str) -> Iterator[str]:
    rows = place.rows("logs", "describe_log_streams", "logStreams", logGroupName=group, logStreamNamePrefix=PREFIX)
    yield from (str(row["logStreamName"]) for row in rows)


def _remove_logs(place: Place, found: Finding) -> str:
    place.client("logs").delete_log_group(logGroupName=found.name)
    return "deleted"


def _remove_streams(place: Place, found: Finding) -> str:
    for stream in list(_streams(place, found.name)):
        place.client("logs").delete_log_stream(logGroupName=found.name, logStreamName=stream)
    return "deleted"


def _find_stacks(place: Place) -> Iterator[Finding]:
    for row in place.rows("cloudformation", "describe_stacks", "Stacks"):
        name, status = str(row["StackName"]), str(row["StackStatus"])
        if status != "DELETE_COMPLETE" and name.startswith(PREFIX) and is_ours("", as_mapping(row.get("Tags", ()))):
            yield Finding("stack", name, place.region, True, status, 0.0, "its bucket is listed apart")


def _remove_stack(place: Place, found: Finding) -> str:
    if found.status.endswith("_IN_PROGRESS") and found.status != "REVIEW_IN_PROGRESS":
        return f"waiting: {found.status}"
    doomed = teardown.examine(place.region, found.name.removeprefix(PREFIX))
    if doomed is not None:
        teardown.destroy(doomed)
    return "deleted"


def _find_buckets(place: Place) -> Iterator[Finding]:
    for row in (
        place.client("s3")
        .get_paginator("list_buckets")
        .paginate(BucketRegion=place.region, PaginationConfig={"PageSize": 1000})
    ):
        for bucket in row.get("Buckets", ()):
            if bucket.get("BucketRegion", place.region) == place.region:
                yield _bucket(place, str(bucket["Name"]))


def _bucket(place: Place, name: str) -> Finding:
    ours = place.is_ours(name, f"arn:{partition(place.region)}:s3:::{name}")
    try:
        contents = buckets.measure(name, place.region, None if ours else _OTHERS_PAGES)
        cost = storage_cost(contents.billed_bytes, "S3", "storage", "standard", place.region)
        cost = Cost(cost.usd_per_day, f"{contents.describe()}; {cost.basis}")
    except AwsError as error:
        if ours:
            raise
        cost = Cost(None, error.message)  # such as a bucket that this user may not list
    return Finding("bucket", name, place.region, ours, "", cost.usd_per_day, cost.basis)


def _remove_bucket(place: Place, found: Finding) -> str:
    buckets.empty(found.name, place.region)
    place.client("s3").delete_bucket(Bucket=found.name)
    return "deleted"


OTHER_KINDS: tuple[Kind, ...] = (
    Kind("schedule", _find_schedules, _remove_schedule),
    Kind("image-repository", _find_images, _remove_images),
    Kind("log-streams", lambda place: (one for one in _find_logs(place) if one.kind == "log-streams"), _remove_streams),
    Kind("log-group", lambda place: (one for one in _find_logs(place) if one.kind == "log-group"), _remove_logs),
    Kind("stack", _find_stacks, _remove_stack),
    Kind("bucket", _find_buckets, _remove_bucket),
)
"""In the order of removal: a stack before the buckets that are left, because it deletes its own."""
