from __future__ import annotations

import datetime
import json
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

from tuppence.aws import launch
from tuppence.aws.account import Account, find_account
from tuppence.aws.launch import Prepared, Wish, output_location, prepare, submit
from tuppence.aws.order import InChannel, Order
from tuppence.aws.quotas import Quota
from tuppence.aws.summary import summary_dict, summary_text
from tuppence.aws.verb_line import Place, VerbLine
from tuppence.core.errors import InputError

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
ROLE = "arn:aws:iam::123456789012:role/tuppence"
WISH = {
    "instance": "ml.g4dn.xlarge",
    "budget_usd": 5.0,
    "region": "us-east-1",
    "bucket": "tuppence-b",
    "role_arn": ROLE,
}


@pytest.fixture
def data(tmp_path: Path) -> Path:
    folder = tmp_path / "DATA"
    folder.mkdir()
    (folder / "index.json").write_text(json.dumps({"vocab_size": 300}))
    return folder


def line(data: Path | str, out: str = "runs/tiny", verb: str = "pretrain", **changes: Any) -> VerbLine:
    words = ("--data", str(data), f"--out={out}")
    places = (Place(1, "", str(data), "input", "--data"), Place(2, "--out=", out, "output", "--out"))
    facts = {"budget_usd": None, "takes_budget": True, "writes_run": True, "several_ranks": True}
    values = {"data": str(data), "config": "tiny"}
    return VerbLine(**{"verb": verb, "words": words, "places": places, "values": values, **facts, **changes})


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, objects: dict[str, bytes]) -> SimpleNamespace:
    """SageMaker that takes every job, S3 in memory, quotas of 2."""
    found = SimpleNamespace(created=[], objects=objects)
    sagemaker = SimpleNamespace(create_training_job=lambda **request: found.created.append(request))
    monkeypatch.setattr(launch, "client", lambda service, region=None: sagemaker)
    monkeypatch.setattr(launch, "find_quota", lambda instance, spot, region: Quota(f"{instance} {spot}", 2.0, "L-1"))
    return found


def prepared(read: VerbLine, tmp_path: Path, **wish: Any) -> Prepared:
    workplace = tmp_path / "work"
    workplace.mkdir(exist_ok=True)
    return prepare(read, Wish(**{"with_wheels": False, **WISH, **wish}), workplace, now=NOW)


def test_nothing_is_uploaded_before_the_job_is_wanted(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    found = prepared(line(data), tmp_path, spot=True)
    assert (aws.objects, aws.created) == ({}, [])
    assert found.missing_bytes > 100_000  # the code
    assert submit(found) == "tuppence-pretrain-tiny-20261128-120000"
    assert aws.created == [found.request]
    assert aws.objects[f"{found.plan.inputs['input-0']}/DATA/index.json"] == b'{"vocab_size": 300}'
    order = Order.of_text(aws.objects[f"{found.plan.order_uri}/order.json"].decode())
    assert order.words == ("--data", InChannel("input-0", "DATA"), "--out=s3://tuppence-b/runs/tiny")
    assert (order.cap_usd, order.rate_usd_per_hour, order.metrics) == (5.0, 0.7364, True)
    assert set(order.files) == {"code", "input-0"}


def test_the_second_job_uploads_nothing_again(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    submit(prepared(line(data), tmp_path))
    assert prepared(line(data), tmp_path).missing_bytes == 0


def test_s3_inputs_stay_where_they_are(tmp_path: Path, aws: SimpleNamespace) -> None:
    found = prepared(line("s3://other/DATA", out="s3://mine/run/"), tmp_path)
    assert found.plan.order.words == ("--data", "s3://other/DATA", "--out=s3://mine/run")
    assert found.plan.inputs == {}
    assert found.parameters is None  # there is no such data


def test_a_base_travels_without_its_checkpoints(tmp_path: Path, aws: SimpleNamespace) -> None:
    run = tmp_path / "base"
    for name in ("run.yaml", "model/config.json", "checkpoints/step-1/model.safetensors"):
        (run / name).parent.mkdir(parents=True, exist_ok=True)
        (run / name).write_text("x")
    places = (Place(0, "--base=", str(run / "model"), "run", "--base"), Place(1, "--out=", "x", "output", "--out"))
    read = line("", verb="align dpo", words=("--base=…", "--out=x"), places=places, values={})
    found = prepared(read, tmp_path)
    assert found.plan.order.words[0] == InChannel("input-0", "base/model", "--base=")
    assert sorted(found.trees["input-0"][0].files) == ["base/model/config.json", "base/run.yaml"]


def test_what_earlier_attempts_have_spent_is_taken_off_the_cap(
    data: Path, tmp_path: Path, aws: SimpleNamespace
) -> None:
    row = {"attempt": 1, "event": "end", "seconds": 3600.0, "rate_usd_per_hour": 4.0}
    aws.objects["s3://tuppence-b/runs/tiny/ledger.jsonl"] = json.dumps(row).encode() + b"\n"
    found = prepared(line(data), tmp_path)
    assert found.spent_usd == 4.0
    assert found.limits.cap_seconds == pytest.approx(1 / 0.7364 * 3600)
    assert "$1.00 left of $5.00, after $4.00" in summary_text(found)
    with pytest.raises(InputError, match="too little to start"):
        prepared(line(data), tmp_path, budget_usd=4.01)


def test_a_run_that_is_at_the_output_already_is_named(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    assert prepared(line(data), tmp_path).found == ""
    aws.objects["s3://tuppence-b/runs/tiny/run.yaml"] = b"status: stopped"
    assert "runs/tiny, where a run is: the job continues it" in summary_text(prepared(line(data), tmp_path))
    aws.objects["s3://tuppence-b/runs/tiny/run.yaml"] = b"status: done\nended_because: reached its limit of 3 steps"
    assert "is done: it reached its limit of 3 steps" in summary_text(prepared(line(data), tmp_path))


def test_max_hours_alone_is_a_cap_too(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    found = prepared(line(data), tmp_path, budget_usd=None, max_hours=2.0, count=2)
    assert found.cap_usd == pytest.approx(2 * 2 * 0.7364)
    assert found.plan.max_runtime == 7200 - 300 - 120 - 30


def test_the_dearest_fallback_decides_the_cap(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    found = prepared(line(data), tmp_path, fallback=("ml.g5.xlarge",))
    assert found.plan.order.rate_usd_per_hour == 1.408
    assert [one.partition(" ")[0] for one in found.prices] == ["ml.g4dn.xlarge", "ml.g5.xlarge"]


@pytest.mark.parametrize(
    ("wish", "message"),
    [
        ({"instance": "ml.nope.xlarge"}, "no SageMaker price"),
        ({"instance": "ml.p3.2xlarge"}, "ml.p3.2xlarge"),
        ({"instance": "g4dn.xlarge"}, "is a machine of EC2"),
        ({"region": "eu-north-1"}, "no price of ml.g4dn.xlarge in eu-north-1"),
        ({"budget_usd": None}, "has no cap"),
        ({"budget_usd": -1.0}, "is no limit"),
        ({"budget_usd": 0.05}, "too little to start"),
        ({"count": 3}, "is 2, and the job needs 3"),
        ({"spot": True, "fallback": ("ml.g5.xlarge",)}, "--fallback with --spot"),
        ({"max_wait_hours": 3.0}, "is for spot jobs"),
        ({"role_arn": None}, "belong together"),
        ({"role_arn": "arn:aws:iam::1:user/me"}, "RoleArn"),
    ],
)
def test_a_job_that_cannot_be_is_refused_before_anything_is_made(
    data: Path, tmp_path: Path, aws: SimpleNamespace, wish: dict[str, Any], message: str
) -> None:
    with pytest.raises(InputError, match=message):
        prepared(line(data), tmp_path, **wish)
    assert (aws.objects, aws.created) == ({}, [])


def test_spot_needs_a_place_for_checkpoints(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    read = line(data, verb="data prepare", takes_budget=False, writes_run=False, several_ranks=False)
    with pytest.raises(InputError, match="has no checkpoints"):
        prepared(read, tmp_path, spot=True)
    with pytest.raises(InputError, match="on 2 machines"):
        prepared(read, tmp_path, count=2)
    found = prepared(read, tmp_path)
    assert (found.plan.order.cap_usd, found.plan.order.metrics) == (None, False)


def test_two_different_budgets_are_refused(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    with pytest.raises(InputError, match="before the verb and"):
        prepared(line(data, budget_usd=4.0), tmp_path)
    assert prepared(line(data, budget_usd=4.0), tmp_path, budget_usd=None).cap_usd == 4.0


@pytest.mark.parametrize(
    ("place", "expected"),
    [
        ("runs/tiny", "s3://b/runs/tiny"),
        ("tiny", "s3://b/runs/tiny"),
        ("./a/b", "s3://b/runs/a/b"),
        ("/home/me/tiny", "s3://b/runs/tiny"),
        ("../tiny", "s3://b/runs/tiny"),
        ("s3://c/d/", "s3://c/d"),
    ],
)
def test_a_local_output_becomes_a_folder_of_the_bucket(place: str, expected: str) -> None:
    assert output_location(place, Account("b", ROLE, "us-east-1")) == expected


def test_an_mlflow_server_with_a_password_is_refused(
    data: Path, tmp_path: Path, aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    read = line(data, values={"track": "mlflow"})
    monkeypatch.delenv("MLFLOW_TRACKING_URI", raising=False)
    with pytest.raises(InputError, match="needs a server"):
        prepared(read, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://me:word@host")
    with pytest.raises(InputError, match="has a password"):
        prepared(read, tmp_path)
    monkeypatch.setenv("MLFLOW_TRACKING_URI", "https://host")
    assert prepared(read, tmp_path).request["Environment"] == {"MLFLOW_TRACKING_URI": "https://host"}


def test_the_summary_says_what_it_may_cost_and_who_stops_it(data: Path, tmp_path: Path, aws: SimpleNamespace) -> None:
    found = prepared(line(data), tmp_path, spot=True)
    text = summary_text(found)
    assert "cap       $5.00: 6 h 47 min at $0.7364 an hour" in text
    assert "at most   $5.00 by AWS's own limits" in text
    assert "waiting for a spot machine included" in text
    assert "s3://tuppence-b/runs/tiny" in text
    assert json.loads(json.dumps(summary_dict(found)))["request"]["EnableManagedSpotTraining"] is True


def test_what_the_stack_does_not_allow_is_refused(
    data: Path, tmp_path: Path, aws: SimpleNamespace, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = SimpleNamespace(bucket="b", role_arn=ROLE, instances=("ml.g4dn.xlarge",), max_runtime_seconds=3600)
    monkeypatch.setattr("tuppence.aws.account.outputs", lambda region: found)
    assert prepared(line(data), tmp_path, bucket=None, role_arn=None).plan.max_runtime == 3600
    with pytest.raises(InputError, match="does not allow") as refused:
        prepared(line(data), tmp_path, bucket=None, role_arn=None, instance="ml.g5.xlarge")
    assert "init --instances ml.g4dn.xlarge --instances ml.g5.xlarge" in refused.value.hint


def test_bucket_and_role_can_be_given() -> None:
    assert find_account("us-east-1", "s3://b/", ROLE) == Account("b", ROLE, "us-east-1")
