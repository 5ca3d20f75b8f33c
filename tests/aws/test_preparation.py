"""A processing job is decided, shown and started; AWS is answered for by the tests."""

from __future__ import annotations

import datetime
import json
from collections.abc import Callable
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest

from tuppence.aws import preparation
from tuppence.aws.follow import LogReader
from tuppence.aws.order import InChannel, Order
from tuppence.aws.preparation import Preparation, PreparationWish, follow, plan_preparation, submit, summary_text
from tuppence.aws.quotas import Quota
from tuppence.aws.rehearse import rehearsal
from tuppence.cli.verb_line import read_verb_line
from tuppence.core.errors import InputError
from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards
from tuppence.tokenizer import train_tokenizer

NOW = datetime.datetime(2026, 11, 28, 12, 0, tzinfo=datetime.UTC)
WISH = {
    "instance": "ml.m5.xlarge",
    "count": 2,
    "budget_usd": 1.0,
    "region": "us-east-1",
    "bucket": "tuppence-b",
    "role_arn": "arn:aws:iam::123456789012:role/tuppence",
    "with_wheels": False,
}


@pytest.fixture
def aws(monkeypatch: pytest.MonkeyPatch, objects: dict[str, bytes]) -> SimpleNamespace:
    """SageMaker that takes every job; a corpus in S3."""
    objects["s3://crawl/texts/a.jsonl"] = b'{"text": "a"}\n' * 100
    found = SimpleNamespace(created=[], objects=objects, answers=[])
    sagemaker = SimpleNamespace(
        create_processing_job=lambda **request: found.created.append(request),
        describe_processing_job=lambda **request: found.answers.pop(0),
    )
    monkeypatch.setattr(preparation, "client", lambda service, region=None: sagemaker)
    monkeypatch.setattr(
        preparation, "find_quota", lambda instance, **options: Quota(f"{instance} {options['use']}", 8.0)
    )
    return found


@pytest.fixture
def tok(tmp_path: Path) -> Path:
    (tmp_path / "tok").mkdir()
    (tmp_path / "tok/tokenizer.json").write_text("{}")
    return tmp_path / "tok"


def planned(tmp_path: Path, *line: object, **wish: Any) -> Preparation:
    (tmp_path / "work").mkdir(exist_ok=True)
    read = read_verb_line(["data", "prepare", *map(str, line)])
    return plan_preparation(read, PreparationWish(**{**WISH, **wish}), tmp_path / "work", now=NOW)


def test_nothing_is_uploaded_before_the_job_is_wanted(aws: SimpleNamespace, tok: Path, tmp_path: Path) -> None:
    before = dict(aws.objects)
    found = planned(tmp_path, "s3://crawl/texts", "--tokenizer", tok, "--out", "s3://tuppence-b/data/", "--seed", 1)
    assert (aws.objects, aws.created) == (before, [])
    assert submit(found) == "tuppence-data-prepare-data-20261128-120000"
    assert aws.created == [found.request]
    order = Order.of_text(aws.objects[f"s3://tuppence-b/jobs/{found.plan.name}/order/order.json"].decode())
    assert order.words == ("s3://crawl/texts", "--tokenizer", InChannel("input-0", "tok"), "--seed", "1")
    assert (order.output, order.count) == ("s3://tuppence-b/data", 2)
    assert found.corpus_bytes == len(aws.objects["s3://crawl/texts/a.jsonl"])


@pytest.mark.parametrize("first", [True, False])
def test_the_output_is_taken_from_anywhere_in_the_line(
    aws: SimpleNamespace, tok: Path, tmp_path: Path, first: bool
) -> None:
    out, rest = ["--out=data"], ["s3://crawl/texts", "--tokenizer", tok]
    found = planned(tmp_path, *(out + rest if first else rest + out))
    assert found.plan.order.words == ("s3://crawl/texts", "--tokenizer", InChannel("input-0", "tok"))
    assert found.plan.order.output == "s3://tuppence-b/runs/data"


def test_a_local_corpus_is_uploaded_and_read_from_s3(aws: SimpleNamespace, tok: Path, tmp_path: Path) -> None:
    (tmp_path / "mine").mkdir()
    (tmp_path / "mine/a.jsonl").write_text('{"text": "a"}\n')
    found = planned(tmp_path, tmp_path / "mine", "--tokenizer", tok, "--out", "data")
    submit(found)
    place = found.plan.order.words[0]
    assert isinstance(place, str)
    assert aws.objects[f"{place}/a.jsonl"] == b'{"text": "a"}\n'
    assert set(found.plan.inputs) == {"code", "order", "input-0"}
    assert set(found.plan.order.files) == {"code", "input-0"}


def test_the_cap_bounds_what_aws_bills(aws: SimpleNamespace, tok: Path, tmp_path: Path) -> None:
    line = ("s3://crawl/texts", "--tokenizer", tok, "--out", "data")
    found = planned(tmp_path, *line)
    assert found.plan.worst_case_usd <= 1.0 < found.plan.worst_case_usd + 0.01
    assert planned(tmp_path, *line, max_hours=0.5).plan.worst_case_usd <= 0.5 * 2 * 0.23
    assert planned(tmp_path, *line, budget_usd=1e5).plan.max_runtime == 777_600


def test_an_assumed_price_is_called_one(aws: SimpleNamespace, tok: Path, tmp_path: Path) -> None:
    line = ("s3://crawl/texts", "--tokenizer", tok, "--out", "data")
    assert "the price of processing is not known here" in summary_text(planned(tmp_path, *line))
    given = summary_text(planned(tmp_path, *line, price_usd=0.3, instance="ml.r7i.large"))
    assert "2 × $0.3 an hour, as given by --price" in given


@pytest.mark.parametrize(
    ("line", "wish", "complaint"),
    [
        ([], {"budget_usd": None}, "the job has no cap"),
        ([], {"budget_usd": 0.01}, "too little to start"),
        ([], {"count": 101}, "--count 101 is not between 1 and 100"),
        ([], {"instance": "m5.xlarge"}, "is a machine of EC2"),
        ([], {"instance": "ml.r7i.large"}, "no price of ml.r7i.large"),
        ([], {"price_usd": 0.0}, "--price 0 is no price"),
        (["--part", "1/2"], {}, "--part is the place of a machine"),
        (["--deduplicate"], {}, "--deduplicate compares all documents"),
    ],
)
def test_a_job_that_cannot_be_is_refused(
    aws: SimpleNamespace, tok: Path, tmp_path: Path, line: list[str], wish: dict[str, Any], complaint: str
) -> None:
    with pytest.raises(InputError, match=complaint):
        planned(tmp_path, "s3://crawl/texts", "--tokenizer", tok, "--out", "data", *line, **wish)


def test_the_end_is_waited_for(
    aws: SimpleNamespace, tok: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    lines = iter([["one"], [], ["two"]])
    monkeypatch.setattr(LogReader, "new_lines", lambda self: iter(next(lines)))
    times = {"ProcessingStartTime": NOW, "ProcessingEndTime": NOW + datetime.timedelta(hours=1)}
    aws.answers += [{"ProcessingJobStatus": "InProgress"}] * 2
    aws.answers.append({"ProcessingJobStatus": "Failed", "ExitMessage": "no text", **times})
    seen: list[str] = []
    plan = planned(tmp_path, "s3://crawl/texts", "--tokenizer", tok, "--out", "data").plan
    ended = follow(plan, seen.append, sleep=lambda seconds: None)
    assert (ended.status, ended.reason, ended.usd, seen) == ("Failed", "no text", 0.46, ["one", "two"])


@pytest.mark.soak
def test_three_machines_prepare_what_one_does(
    tmp_path: Path, tuppence: Callable[..., Any], monkeypatch: pytest.MonkeyPatch
) -> None:
    """Real processes, real boto3, S3 on loopback."""
    monkeypatch.setenv("TUPPENCE_REHEARSAL", str(tmp_path / "rehearsal"))
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    tokenizer = train_tokenizer(["It was a dark and stormy night."] * 3, vocab_size=290)
    tokenizer.save(tmp_path / "tok")
    (tmp_path / "texts").mkdir()
    for name in "ab":
        rows = "".join(json.dumps({"text": f"Night {name} {row}."}) + "\n" for row in range(3000))
        (tmp_path / "texts" / f"{name}.jsonl").write_text(rows)
    command = ["aws", "prepare", "--rehearse", "--count", 3, "--budget", 1, "--yes", "--json", tmp_path / "texts"]
    options = ["--tokenizer", tmp_path / "tok", "--out", "s3://tuppence-rehearsal/data", "--val-fraction", 0.1]
    for _ in range(2):  # the second job finds everything done
        done = tuppence(*command, *options)
        assert done.returncode == 0, done.stderr
        found = json.loads(done.stdout)
        assert found["status"] == "Completed"
        assert 0 < found["usd"] < found["worst_case_usd"] <= 1
    prepare(str(tmp_path / "texts"), tokenizer, tmp_path / "whole", val_fraction=0.1)
    with rehearsal():
        for split in ("train", "val"):
            merged = TokenShards.open("s3://tuppence-rehearsal/data", split)
            whole = TokenShards.open(tmp_path / "whole", split)
            np.testing.assert_array_equal(merged.window(0, len(merged)), whole.window(0, len(whole)))
