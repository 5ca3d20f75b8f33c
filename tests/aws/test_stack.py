"""Creating, updating and deleting the stack against ministack, whose CloudFormation knows no budgets."""

from __future__ import annotations

import dataclasses
import json
import urllib.request
from typing import Any

import pytest
from tests.aws.account import REGION, FakeSageMaker, no_pause
from tests.aws.account import account as account
from tests.aws.account import account_server as account_server
from tests.aws.iam_policy import resolve
from tests.s3_servers import Bucket, Server

from tuppence.aws import buckets, stack, teardown
from tuppence.aws.template import StackSettings, as_text, render
from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

SMALL = StackSettings(REGION, instances=("ml.g5.xlarge",), max_hours=2)


def created(settings: StackSettings = SMALL) -> stack.StackOutputs:
    change = stack.prepare(settings)
    assert change is not None
    stack.execute(change, pause=no_pause)
    return stack.outputs(settings.region, settings.name)


def test_a_stack_is_created_updated_and_left_alone(account: FakeSageMaker) -> None:
    with pytest.raises(InputError, match="there is no stack tuppence-stack in us-east-1") as missing:
        stack.outputs(REGION)
    assert missing.value.hint == "create it: tuppence aws init --region us-east-1"

    change = stack.prepare(SMALL)
    assert change is not None
    assert change.creates
    assert ("Add", "Bucket", "AWS::S3::Bucket") in change.changes
    events: list[tuple[str, str, str]] = []
    stack.execute(change, lambda *event: events.append(event), pause=no_pause)
    assert events[-1] == ("tuppence-stack", "AWS::CloudFormation::Stack", "CREATE_COMPLETE")

    made = stack.outputs()
    assert (made.region, made.max_runtime_seconds, made.instances) == (REGION, 7200, ("ml.g5.xlarge",))
    assert made.role_arn.startswith(f"arn:aws:iam::{account.account}:role/tuppence-stack-")
    s3 = client("s3")
    assert s3.get_bucket_versioning(Bucket=made.bucket)["Status"] == "Enabled"
    assert all(s3.get_public_access_block(Bucket=made.bucket)["PublicAccessBlockConfiguration"].values())
    assert "aws:SecureTransport" in s3.get_bucket_policy(Bucket=made.bucket)["Policy"]

    assert stack.prepare(SMALL) is None, "the same settings change nothing"

    change = stack.prepare(StackSettings(REGION, instances=("ml.g5.xlarge", "ml.g6.xlarge"), max_hours=3))
    assert change is not None
    assert not change.creates
    stack.execute(change, pause=no_pause)
    changed = stack.outputs()
    assert (changed.max_runtime_seconds, changed.instances) == (10_800, ("ml.g5.xlarge", "ml.g6.xlarge"))
    assert (changed.bucket, changed.role_arn) == (made.bucket, made.role_arn)


def test_a_change_that_is_not_wanted_leaves_nothing(account: FakeSageMaker) -> None:
    change = stack.prepare(SMALL)
    assert change is not None
    stack.discard(change)
    assert stack.describe(client("cloudformation"), "tuppence-stack") is None
    assert client("s3").list_buckets()["Buckets"] == []


def test_a_stack_of_somebody_else_is_neither_changed_nor_deleted(account: FakeSageMaker) -> None:
    template = {"Resources": {"Queue": {"Type": "AWS::SQS::Queue"}}}
    client("cloudformation").create_stack(StackName="tuppence-stack", TemplateBody=json.dumps(template))
    for call in (lambda: stack.prepare(SMALL), lambda: teardown.examine(REGION)):
        with pytest.raises(InputError, match="tuppence did not create it"):
            call()


def fill(bucket: str) -> None:
    s3 = client("s3")
    for index in range(3):
        s3.put_object(Bucket=bucket, Key="runs/a", Body=b"x" * (index + 1))
    s3.put_object(Bucket=bucket, Key="runs/b", Body=b"yyyy")
    s3.delete_object(Bucket=bucket, Key="runs/b")
    upload = s3.create_multipart_upload(Bucket=bucket, Key="runs/c")["UploadId"]
    s3.upload_part(Bucket=bucket, Key="runs/c", UploadId=upload, PartNumber=1, Body=b"z" * 100)


def test_contents_count_what_is_billed_and_invisible(account: FakeSageMaker) -> None:
    client("s3").create_bucket(Bucket="tuppence-data")
    client("s3").put_bucket_versioning(Bucket="tuppence-data", VersioningConfiguration={"Status": "Enabled"})
    fill("tuppence-data")
    found = buckets.measure("tuppence-data", REGION)
    assert found == buckets.Contents(1, 3, 3, 1 + 2 + 4, 1, 1, 100)
    assert found.billed_bytes == 110
    assert found.describe() == "1 object, 3 old versions, 1 delete marker, 1 incomplete upload; 110 B in all"
    assert buckets.empty("tuppence-data", REGION) == 6
    assert buckets.measure("tuppence-data", REGION).is_empty
    assert buckets.empty("tuppence-data", REGION) == 0


def test_more_versions_than_one_answer_has_are_listed_and_deleted(moto_s3: Bucket) -> None:
    s3, name = client("s3", region=REGION), moto_s3.name
    for index in range(23):
        s3.put_object(Bucket=name, Key=f"{index:02}", Body=b"x")
    s3.meta.events.register("provide-client-params.s3.ListObjectVersions", _ten_keys)
    try:
        partly = buckets.measure(name, REGION, most_pages=1)
        assert (partly.objects, partly.complete) == (10, False)
        assert partly.describe().startswith("at least 10 objects")
        assert not partly.is_empty
        assert buckets.measure(name, REGION).objects == 23
        assert buckets.empty(name, REGION) == 23
    finally:
        s3.meta.events.unregister("provide-client-params.s3.ListObjectVersions", _ten_keys)


def _ten_keys(params: dict[str, Any], **_: Any) -> dict[str, Any]:
    return params | {"MaxKeys": 10}


def test_destroy_deletes_the_stack_with_its_data_and_its_attached_policy(account: FakeSageMaker) -> None:
    made = created()
    fill(made.bucket)
    iam = client("iam")
    iam.create_user(UserName="ada")
    iam.attach_user_policy(UserName="ada", PolicyArn=made.launcher_policy_arn)

    doomed = teardown.examine(REGION)
    assert doomed is not None
    assert doomed.contents[made.bucket].old_versions == 3
    assert doomed.attached == (("user", "ada", made.launcher_policy_arn),)
    assert len(teardown.remaining(doomed)) == 4, "bucket, role, policy and stack"
    deleted: list[int] = []
    teardown.destroy(doomed, on_deleted=deleted.append, pause=no_pause)
    assert sum(deleted) == 5
    assert teardown.remaining(doomed) == []
    assert teardown.examine(REGION) is None
    assert client("s3").list_buckets()["Buckets"] == []


def test_destroy_says_what_remains(account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    created()
    doomed = teardown.examine(REGION)
    assert doomed is not None
    client("iam").create_role(RoleName="stays", AssumeRolePolicyDocument="{}")
    more = teardown.Doomed(**{**vars(doomed), "resources": (*doomed.resources, ("AWS::IAM::Role", "stays"))})
    with pytest.raises(InputError, match="AWS::IAM::Role stays still exists"):
        teardown.destroy(more, pause=no_pause)


class Scripted:
    """A client of CloudFormation whose stack fails as AWS's do: moto's stacks never fail."""

    def __init__(self, statuses: list[str], events: list[dict[str, Any]]) -> None:
        self.statuses, self.events = statuses, events

    def describe_stacks(self, StackName: str) -> dict[str, Any]:
        status = self.statuses.pop(0) if len(self.statuses) > 1 else self.statuses[0]
        return {"Stacks": [{"StackName": "tuppence-stack", "StackStatus": status, "StackId": StackName}]}

    def get_paginator(self, operation: str) -> Scripted:
        assert operation == "describe_stack_events"
        return self

    def paginate(self, StackName: str) -> list[dict[str, Any]]:
        return [{"StackEvents": list(reversed(self.events))}]


def event(number: int, name: str, status: str, reason: str = "") -> dict[str, Any]:
    return {
        "EventId": str(number),
        "Timestamp": number,
        "LogicalResourceId": name,
        "ResourceType": "AWS::X",
        "ResourceStatus": status,
        "ResourceStatusReason": reason,
    }


@pytest.mark.parametrize("last", ["ROLLBACK_COMPLETE", "DELETE_COMPLETE", "UPDATE_ROLLBACK_COMPLETE"])
def test_the_first_failed_resource_and_its_reason_are_told(last: str) -> None:
    events = [
        event(0, "Old", "CREATE_FAILED", "of last week"),
        event(1, "Bucket", "CREATE_IN_PROGRESS"),
        event(2, "Budget", "CREATE_FAILED", "the address\nis not accepted"),
        event(3, "Bucket", "CREATE_FAILED", "Resource creation cancelled"),
    ]
    waits: list[float] = []
    with pytest.raises(InputError) as failed:
        stack.wait(Scripted(["CREATE_IN_PROGRESS", last], events), "arn", {"0"}, pause=waits.append)
    assert failed.value.message == f"the stack ended as {last}: Budget (AWS::X): the address is not accepted"
    assert waits == [stack.POLL_SECONDS]


def test_waiting_has_an_end() -> None:
    with pytest.raises(InputError, match="still CREATE_IN_PROGRESS after 30 minutes"):
        stack.wait(Scripted(["CREATE_IN_PROGRESS"], []), "arn", set(), pause=no_pause)


@pytest.mark.parametrize(
    ("status", "hint"),
    [("ROLLBACK_COMPLETE", "--destroy"), ("UPDATE_ROLLBACK_FAILED", "continue-update"), ("UPDATE_IN_PROGRESS", "wait")],
)
def test_a_stack_that_cannot_be_changed_is_refused(
    account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch, status: str, hint: str
) -> None:
    found = {"StackName": "tuppence-stack", "StackStatus": status, "Tags": [{"Key": "created-by", "Value": "tuppence"}]}
    monkeypatch.setattr(stack, "describe", lambda *_: found)
    with pytest.raises(InputError, match=status) as refused:
        stack.prepare(SMALL)
    assert hint in refused.value.hint


def test_a_running_job_keeps_the_stack(account: FakeSageMaker) -> None:
    created()
    account.settling = 9
    for name in ("tuppence-a", "shop-tuppence-b"):
        account.add("TrainingJob", name, TrainingJobStatus="InProgress")
    account.add("ProcessingJob", "tuppence-c", ProcessingJobStatus="Stopping")
    account.add("TrainingJob", "tuppence-d", TrainingJobStatus="Completed")
    with pytest.raises(InputError, match="tuppence-a is still running, and 1 more"):
        teardown.examine(REGION)


def test_s3_refuses_what_the_policies_do_not_allow(moto: Server, monkeypatch: pytest.MonkeyPatch) -> None:
    """moto checks signatures, actions and resources of S3; the policy of the job is the rendered one."""
    names = {
        "AWS::AccountId": "123456789012",
        "AWS::Partition": "aws",
        "AWS::Region": REGION,
        "Bucket.Arn": "arn:aws:s3:::tuppence-data",
    }
    role = render(SMALL)["Resources"]["ExecutionRole"]["Properties"]
    policy = json.dumps(resolve(role["Policies"][0]["PolicyDocument"], names))
    _without_login(moto, True)
    try:
        iam, s3 = moto.client("iam"), moto.client("s3")
        for bucket in ("tuppence-data", "other"):
            s3.create_bucket(Bucket=bucket)
        s3.put_object(Bucket="other", Key="secret", Body=b"x")
        iam.create_user(UserName="job")
        iam.put_user_policy(UserName="job", PolicyName="job", PolicyDocument=policy)
        key = iam.create_access_key(UserName="job")["AccessKey"]
    finally:
        _without_login(moto, False)
    job = dataclasses.replace(moto, key_id=key["AccessKeyId"], secret=key["SecretAccessKey"])
    for name, value in job.environment.items():
        monkeypatch.setenv(name, value)

    s3 = client("s3")
    s3.put_object(Bucket="tuppence-data", Key="runs/a", Body=b"x")
    assert s3.get_object(Bucket="tuppence-data", Key="runs/a")["Body"].read() == b"x"
    assert s3.list_objects_v2(Bucket="tuppence-data")["KeyCount"] == 1
    s3.delete_object(Bucket="tuppence-data", Key="runs/a")
    refused = [
        lambda: s3.get_object(Bucket="other", Key="secret"),
        lambda: s3.put_object(Bucket="other", Key="x", Body=b"x"),
        lambda: s3.list_objects_v2(Bucket="other"),
        lambda: s3.delete_bucket(Bucket="tuppence-data"),
        lambda: s3.put_bucket_versioning(Bucket="tuppence-data", VersioningConfiguration={"Status": "Suspended"}),
        lambda: client("iam").create_user(UserName="eve"),
    ]
    for call in refused:
        with pytest.raises(AwsError) as denied:
            call()
        assert denied.value.code in ("AccessDenied", "AccessDeniedException"), denied.value
    monkeypatch.setenv("AWS_SECRET_ACCESS_KEY", "wrong-secret-access-key")
    with pytest.raises(AwsError) as wrong:
        client("s3").list_objects_v2(Bucket="tuppence-data")
    assert wrong.value.code == "SignatureDoesNotMatch"


def _without_login(moto: Server, off: bool) -> None:
    request = urllib.request.Request(
        f"{moto.endpoint}/moto-api/reset-auth",
        data=b"inf" if off else b"0",
        headers={"Content-Type": "text/plain"},
        method="POST",
    )
    urllib.request.urlopen(request, timeout=30).read()


def test_the_same_settings_give_the_same_text() -> None:
    assert as_text(render(SMALL)) == as_text(render(StackSettings(REGION, instances=("ml.g5.xlarge",), max_hours=2)))
