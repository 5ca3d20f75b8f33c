"""S3 and SageMaker of a notebook. The chapters run whole jobs; here are the switch and the moments of interruptions."""

from __future__ import annotations

import datetime
import os
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest

import tuppence as tp
from tuppence.aws.account import Account
from tuppence.aws.jobs import Job, Phase
from tuppence.aws.local import RefusedError
from tuppence.cli import verb_line
from tuppence.core.errors import InputError, TuppenceError
from tuppence.course import cloud as module
from tuppence.course.cloud import CloudJob
from tuppence.storage import client, open_store
from tuppence.storage.schemes import SCHEMES

NOON = datetime.datetime(2026, 11, 28, 12, tzinfo=datetime.UTC)


def phase(status: str, start: float, end: float | None) -> Phase:
    at = [None if one is None else NOON + datetime.timedelta(seconds=one) for one in (start, end)]
    assert at[0] is not None
    return Phase(status, at[0], at[1], "")


def ended(status: str = "Completed") -> Job:
    phases = (
        phase("Starting", 0, 1),
        phase("Training", 1, 4),
        phase("Interrupted", 4, 4),
        phase("Training", 5, 9),
        phase(status, 9, None),
    )
    return Job(
        "j", "us-east-1", status, status, "out of memory", "ml.g5.xlarge", 1, True, NOON, 70.0, 140.0, phases, {}
    )


def test_it_is_a_rehearsal_that_leaves_the_environment_as_it_was(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("TUPPENCE_AWS", raising=False)
    before = dict(os.environ)
    first = tp.cloud()
    assert first.is_rehearsal
    assert "proves nothing about AWS" in repr(first)
    open_store(first.url).put("a", b"content")  # type: ignore[attr-defined]
    assert client("s3").meta.endpoint_url.startswith("http://127.0.0.1:")
    folder = first.sagemaker.folder  # type: ignore[union-attr]
    second = tp.cloud()  # closes the first, and begins empty
    assert not folder.exists()
    assert list(open_store(second.url).list()) == []
    second.close()
    assert dict(os.environ) == before


def test_the_account_has_the_bucket_and_the_role_of_the_stack(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUPPENCE_AWS", "account")
    monkeypatch.setattr(
        module, "client", lambda service: SimpleNamespace(meta=SimpleNamespace(region_name="eu-west-1"))
    )
    monkeypatch.setattr(module, "find_account", lambda region: Account("tuppence-1", "role", region))
    found = tp.cloud()
    assert (found.url, found.is_rehearsal) == ("s3://tuppence-1", False)
    assert "this costs money" in repr(found)
    found.close()


def test_another_value_of_the_switch_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("TUPPENCE_AWS", "yes")
    with pytest.raises(InputError, match="TUPPENCE_AWS is 'yes'"):
        tp.cloud()


def test_a_job_needs_an_open_cloud(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(module, "_open", [])
    monkeypatch.setattr(verb_line, "read_verb_line", lambda words: words)
    with pytest.raises(InputError, match="no SageMaker"):
        tp.launch("pretrain", budget=1)


@pytest.mark.parametrize("status", ["Completed", "Failed"])
def test_launch_reads_the_verb_line_and_waits(status: str, monkeypatch: pytest.MonkeyPatch) -> None:
    asked: dict[str, Any] = {}

    def prepare(line: Any, wish: Any, workplace: Path) -> Any:
        asked.update(line=line, wish=wish)
        return "prepared"

    monkeypatch.setattr(module, "_open", [module.Cloud(Account("b", "r", "us-east-1"), None, None)])  # type: ignore[arg-type]
    monkeypatch.setattr(module, "prepare", prepare)
    monkeypatch.setattr(module, "submit", lambda prepared: "j")
    monkeypatch.setattr(module, "follow", lambda name, region: ended(status))
    monkeypatch.setattr(module, "receipt_of", lambda job: "receipt")
    here = Path(__file__)
    line = ("data", "prepare", here, "--tokenizer", here.parent, "--out", "s3://b/data", "--seed", 3)
    if status == "Failed":
        with pytest.raises(TuppenceError, match="out of memory"):
            tp.launch(*line, max_hours=1)
    else:
        assert str(tp.launch(*line, max_hours=1).receipt) == "receipt"
    assert asked["line"].verb == "data prepare"
    assert (asked["wish"].bucket, asked["wish"].role_arn, asked["wish"].with_wheels) == ("b", "r", True)


def test_phases_are_in_seconds_of_the_rehearsed_clock() -> None:
    job = CloudJob(ended(), None, speed=20.0)  # type: ignore[arg-type]
    assert job.phases.column("seconds") == [20, 60, 0, 80, 0]
    assert job.interruptions == 1


def test_a_machine_is_taken_when_a_new_checkpoint_has_arrived(
    monkeypatch: pytest.MonkeyPatch,
) -> None:
    from tests.memory_store import WritableMemoryStore

    objects: dict[str, bytes] = {}
    monkeypatch.setitem(SCHEMES, "s3", lambda url: WritableMemoryStore(url, objects))
    taken: list[str] = []
    phases = [phase("Training", 0, None)]
    monkeypatch.setattr(module, "describe", lambda name: SimpleNamespace(phases=phases))

    def interrupt(name: str) -> None:
        taken.append(name)
        if len(taken) > 5:
            raise RefusedError("ValidationException", "it does not run")

    sleep = module._taking(SimpleNamespace(interrupt=interrupt), "j", "s3://b/run", 2)  # type: ignore[arg-type]

    def save(step: int) -> None:
        objects[f"s3://b/run/checkpoints/step-{step:08d}/MANIFEST.json"] = b""

    def rounds() -> int:
        for _ in range(3):
            sleep(0)
        return len(taken)

    assert rounds() == 0
    objects["s3://b/run/checkpoints/step-00000009/model.safetensors"] = b""  # not complete
    assert rounds() == 0
    save(10)
    assert rounds() == 1
    save(12)  # after SIGTERM, while SageMaker still says Training
    assert rounds() == 1
    phases[:] = [phase("Training", 0, 1), phase("Interrupted", 1, 1), phase("Starting", 1, None)]
    assert rounds() == 1
    phases.append(phase("Training", 2, None))
    assert rounds() == 1
    save(20)
    assert rounds() == 2
    save(30)
    assert rounds() == 2  # twice was asked for
