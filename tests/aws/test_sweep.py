"""The sweep finds what costs money, removes what is ours in the right order, and proves that nothing is left."""

from __future__ import annotations

import pytest
from tests.aws.account import REGION, FakeSageMaker, no_pause, only_kinds
from tests.aws.account import account as account
from tests.aws.account import account_server as account_server

from tuppence.aws import regions, stack, sweep
from tuppence.aws.findings import Finding, Place, machine_cost, storage_cost
from tuppence.aws.template import StackSettings
from tuppence.core.errors import InputError
from tuppence.storage import AwsError, client

G5 = 1.408 * 24
"""US dollars a day of one ml.g5.xlarge."""


def job(status: str = "InProgress", count: int = 1) -> dict[str, object]:
    return {
        "TrainingJobStatus": status,
        "ResourceConfig": {"InstanceType": "ml.g5.xlarge", "InstanceCount": count, "VolumeSizeInGB": 30},
    }


def endpoint(account: FakeSageMaker, name: str, status: str = "InService", count: int = 1) -> None:
    variant = {"VariantName": "all", "ModelName": name, "InstanceType": "ml.g5.xlarge", "InitialInstanceCount": count}
    account.add("Endpoint", name, EndpointStatus=status, EndpointConfigName=name)
    account.add("EndpointConfig", name, ProductionVariants=[variant])
    account.add("Model", name)


def everything(account: FakeSageMaker) -> None:
    """One of each kind of ours, and some of others."""
    endpoint(account, "tuppence-chat", "Creating")
    account.resources["Endpoint"]["tuppence-chat"]["_left"] = 6
    endpoint(account, "shop")
    for number in range(3):  # two answers
        account.add("TrainingJob", f"tuppence-{number}", **job(count=2))
    account.add("TrainingJob", "tuppence-done", **job("Completed"))
    pool = job("Completed") | {"WarmPoolStatus": {"Status": "Available"}}
    account.add("TrainingJob", "tuppence-warm", **pool)
    cluster = {"InstanceType": "ml.m5.large", "InstanceCount": 4, "VolumeSizeInGB": 10}
    account.add(
        "ProcessingJob",
        "tuppence-data",
        ProcessingJobStatus="InProgress",
        ProcessingResources={"ClusterConfig": cluster},
    )
    notebook = {"InstanceType": "ml.t3.medium", "VolumeSizeInGB": 100}
    account.add("NotebookInstance", "tuppence-course", NotebookInstanceStatus="InService", **notebook)
    account.add("NotebookInstance", "mine", NotebookInstanceStatus="Stopped", **notebook)
    in_space = {
        "DomainId": "d-abcdefgh1234",
        "SpaceName": "tuppence-lab",
        "AppType": "JupyterLab",
        "Status": "InService",
    }
    account.add("App", "default", ResourceSpec={"InstanceType": "ml.g5.xlarge"}, **in_space)
    storage = {"SpaceStorageSettings": {"EbsStorageSettings": {"EbsVolumeSizeInGb": 50}}}
    account.add("Space", "tuppence-lab", DomainId="d-abcdefgh1234", Status="InService", SpaceSettingsSummary=storage)
    account.add("TrackingServer", "tuppence-mlflow", TrackingServerStatus="Created")
    logs = client("logs")
    for group in ("/aws/sagemaker/Endpoints/tuppence-chat", "/aws/sagemaker/TrainingJobs", "/shop"):
        logs.create_log_group(logGroupName=group)
    for stream in ("tuppence-0/algo-1", "shop-1/algo-1"):
        logs.create_log_stream(logGroupName="/aws/sagemaker/TrainingJobs", logStreamName=stream)
    client("ecr").create_repository(repositoryName="tuppence-serve")
    client("ecr").create_repository(repositoryName="shop")
    for bucket in ("tuppence-extra", "shop-data"):
        client("s3").create_bucket(Bucket=bucket)
        client("s3").put_object(Bucket=bucket, Key="a", Body=b"x" * 1000)
    change = stack.prepare(StackSettings(REGION))
    assert change is not None
    stack.execute(change, pause=no_pause)


def by_id(report: sweep.Report) -> dict[str, Finding]:
    return {one.id: one for one in report.findings}


def test_everything_is_found_priced_removed_in_order_and_gone(account: FakeSageMaker) -> None:
    everything(account)
    account.throttled.add("ListEndpoints")
    report = sweep.look(sweep.places(REGION))
    assert report.unseen == ()
    found, bucket = by_id(report), stack.outputs().bucket
    app = "app/d-abcdefgh1234/space/tuppence-lab/JupyterLab/default"
    assert {one.id for one in report.ours} == {
        *(
            "training-job/tuppence-0",
            "training-job/tuppence-1",
            "training-job/tuppence-2",
            "processing-job/tuppence-data",
        ),
        *("warm-pool/tuppence-warm", "endpoint/tuppence-chat", "endpoint-config/tuppence-chat", "model/tuppence-chat"),
        *("notebook/tuppence-course", app, "space/d-abcdefgh1234/tuppence-lab", "mlflow-server/tuppence-mlflow"),
        *("log-group//aws/sagemaker/Endpoints/tuppence-chat", "log-streams//aws/sagemaker/TrainingJobs"),
        *("image-repository/tuppence-serve", "stack/tuppence-stack", "bucket/tuppence-extra", f"bucket/{bucket}"),
    }
    assert {one.id for one in report.others} == {"endpoint/shop", "notebook/mine", "bucket/shop-data"}
    volume = 0.14 * 100 / 30.4
    expected = {
        "training-job/tuppence-0": 2 * G5,
        "processing-job/tuppence-data": 4 * 0.115 * 24,
        "warm-pool/tuppence-warm": G5,
        "endpoint/tuppence-chat": G5,
        "endpoint-config/tuppence-chat": 0.0,
        "notebook/tuppence-course": 0.05 * 24 + volume,
        "notebook/mine": volume,
        app: G5,
        "space/d-abcdefgh1234/tuppence-lab": volume / 2,
        "bucket/tuppence-extra": 1000 / 1e9 * 0.023 / 30.4,
    }
    assert {name: found[name].usd_per_day for name in expected} == pytest.approx(expected)
    assert found["mlflow-server/tuppence-mlflow"].usd_per_day is None
    assert found["endpoint/shop"].basis == "1 × ml.g5.xlarge at $1.408 an hour (endpoint, us-east-1)"

    account.calls.clear()
    steps: list[tuple[str, str]] = []
    done = sweep.clear(sweep.places(REGION), on_step=lambda one, step: steps.append((one.id, step)), pause=no_pause)
    assert done.is_proven, (done.left, done.report.unseen)
    assert done.report.ours == ()
    assert {one.id for one in done.removed} == {one.id for one in report.ours}
    assert {one.id for one in done.report.others} == {
        *("endpoint/shop", "notebook/mine", "bucket/shop-data", "log-group//aws/sagemaker/TrainingJobs")
    }
    assert ("endpoint/tuppence-chat", "waiting: Creating") in steps
    order = [account.calls.index(f"Delete{kind}") for kind in ("Endpoint", "EndpointConfig", "Model")]
    assert order == sorted(order)
    assert account.calls.index("StopNotebookInstance") < account.calls.index("DeleteNotebookInstance")
    assert account.calls.index("DeleteApp") < account.calls.index("DeleteSpace")
    assert set(account.resources["Endpoint"]) == {"shop"}
    streams = client("logs").describe_log_streams(logGroupName="/aws/sagemaker/TrainingJobs")["logStreams"]
    assert [one["logStreamName"] for one in streams] == ["shop-1/algo-1"]
    assert [one["Name"] for one in client("s3").list_buckets()["Buckets"]] == ["shop-data"]

    again = sweep.clear(sweep.places(REGION), pause=no_pause)
    assert again.is_proven
    assert again.removed == ()


def test_what_others_made_is_deleted_only_by_its_name_and_ours_can_be_kept(
    account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "endpoint", "endpoint-config", "model", "stack", "bucket")
    endpoint(account, "shop")
    endpoint(account, "tuppence-a")
    change = stack.prepare(StackSettings(REGION))
    assert change is not None
    stack.execute(change, pause=no_pause)
    bucket = stack.outputs().bucket
    where = sweep.places(REGION)
    for wrong in ({"keep": ["bucket/none"]}, {"include": ["endpoint/none"]}):
        with pytest.raises(InputError, match="the sweep found no"):
            sweep.clear(where, **wrong)
    done = sweep.clear(where, keep=[f"bucket/{bucket}"], include=["endpoint/shop"], pause=no_pause)
    assert done.left == ()
    assert "shop" not in account.resources["Endpoint"]
    assert "shop" in account.resources["EndpointConfig"], "a name means one kind"
    assert {one.id for one in done.report.ours} == {f"bucket/{bucket}", "stack/tuppence-stack"}, (
        "a stack has its bucket"
    )


def test_a_tag_makes_a_resource_ours_whatever_its_name(account: FakeSageMaker) -> None:
    endpoint(account, "chat")
    place = Place(REGION)
    gone = account.arn("EndpointConfig", "deleted-an-hour-ago")
    place.forget_tags(frozenset({account.arn("Endpoint", "chat"), account.arn("EndpointConfig", "chat"), gone}))
    kinds = {kind.name: kind for kind in sweep.KINDS}
    assert [one.ours for one in kinds["endpoint"].find(place)] == [True]
    assert [one.id for one in kinds["endpoint-config"].find(place)] == ["endpoint-config/chat"]
    assert list(kinds["model"].find(place)) == [], "a model of others costs nothing"


def test_an_endpoint_that_is_never_ready_ends_the_wait_and_is_reported(
    account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "endpoint", "endpoint-config", "model")
    account.settling = 10**6
    endpoint(account, "tuppence-stuck", "Creating")
    waits: list[float] = []
    done = sweep.clear(sweep.places(REGION), pause=waits.append, most_seconds=60)
    assert not done.is_proven
    assert sum(waits) <= 60 + sweep.POLL_SECONDS
    assert [(one.id, why) for one, why in done.left] == [
        ("endpoint/tuppence-stuck", "waiting: Creating"),
        ("endpoint-config/tuppence-stuck", "waiting: endpoint/tuppence-stuck first"),
        ("model/tuppence-stuck", "waiting: endpoint/tuppence-stuck first"),
    ]


def test_a_denied_deletion_ends_at_once_and_a_denied_listing_is_no_proof(
    account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "model", "app")
    account.add("Model", "tuppence-a")
    account.broken["DeleteModel"] = ("AccessDeniedException", "User is not authorized to perform this.")
    waits: list[float] = []
    done = sweep.clear(sweep.places(REGION), pause=waits.append)
    assert waits == []
    assert [(one.id, why.startswith("failed: sagemaker DeleteModel")) for one, why in done.left] == [
        ("model/tuppence-a", True)
    ]

    del account.broken["DeleteModel"]
    account.broken["ListApps"] = ("AccessDeniedException", "User is not authorized to perform this.")
    done = sweep.clear(sweep.places(REGION), pause=waits.append)
    assert done.left == ()
    assert [(region, kind) for region, kind, _ in done.report.unseen] == [(REGION, "app")]
    assert not done.is_proven


def test_a_log_that_appears_while_a_job_is_stopped_is_removed_too(
    account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch
) -> None:
    only_kinds(monkeypatch, "training-job", "log-streams")
    account.add("TrainingJob", "tuppence-0", **job())

    def job_writes(one: Finding, step: str) -> None:
        if step == "stopping":
            client("logs").create_log_group(logGroupName="/aws/sagemaker/TrainingJobs")
            client("logs").create_log_stream(
                logGroupName="/aws/sagemaker/TrainingJobs", logStreamName="tuppence-0/algo-1"
            )

    done = sweep.clear(sweep.places(REGION), on_step=job_writes, pause=no_pause)
    assert done.is_proven
    assert [one.kind for one in done.removed] == ["training-job", "log-streams"]


def test_regions_that_are_not_enabled_are_passed_over(account: FakeSageMaker, monkeypatch: pytest.MonkeyPatch) -> None:
    only_kinds(monkeypatch, "training-job", "model")
    account.add("Model", "tuppence-a")
    account.disabled_regions = ("eu-south-1",)
    report = sweep.look([Place(REGION), Place("eu-south-1"), Place("eu-west-1")])
    assert report.regions == (REGION, "eu-west-1")
    assert report.passed_over == ("eu-south-1",)
    assert report.unseen == ()
    assert [(one.id, one.region) for one in report.ours] == [("model/tuppence-a", REGION)]
    with pytest.raises(AwsError, match="security token"):
        sweep.look([Place("eu-south-1")])
    done = sweep.clear([Place(REGION), Place("eu-south-1"), Place("eu-west-1")], pause=no_pause)
    assert done.is_proven
    assert done.report.regions == (REGION, "eu-west-1"), "the last look sees every region"
    assert done.report.passed_over == ("eu-south-1",)


def test_all_regions_are_those_of_the_partition_with_the_own_one_first(account: FakeSageMaker) -> None:
    everywhere = [place.region for place in sweep.places(sweep.ALL)]
    assert everywhere[0] == REGION
    assert sorted(everywhere) == [one for one in regions.regions() if not one.startswith("cn-")]


def test_costs_say_what_they_assume() -> None:
    assert machine_cost("ml.g5.xlarge", 1, "endpoint", "eu-west-1").basis.endswith("(endpoint, us-east-1, assumed)")
    assert machine_cost("ml.g6e.xlarge", 1, "endpoint", REGION).basis.endswith("(training, us-east-1, assumed)")
    assert machine_cost("ml.x9.huge", 1, "training", REGION).usd_per_day is None
    assert storage_cost(2e9, "S3", "storage", "standard", REGION).usd_per_day == pytest.approx(0.046 / 30.4)
    assert storage_cost(1, "S3", "storage", "glacier", REGION).usd_per_day is None


def test_every_kind_has_an_order_and_waits_for_kinds_before_it() -> None:
    names = [kind.name for kind in sweep.KINDS]
    assert len(set(names)) == len(names)
    for kind, before in sweep._AFTER.items():
        assert all(names.index(one) < names.index(kind) for one in before), kind
