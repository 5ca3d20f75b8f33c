"""One launched job from end to end on the local SageMaker: interrupted once, continued from S3, and its receipt."""

from __future__ import annotations

import re
import subprocess
import time
from collections.abc import Callable, Iterator
from pathlib import Path

import pytest
from safetensors.torch import load_file

from tuppence.aws.follow import LogReader
from tuppence.aws.jobs import describe
from tuppence.aws.launch import Wish, prepare, submit
from tuppence.aws.local import LocalSageMaker
from tuppence.aws.metric_definitions import metric_definitions
from tuppence.aws.receipt import receipt_of
from tuppence.aws.rehearse import BUCKET, ROLE
from tuppence.aws.resume import prepare_resumption
from tuppence.cli.verb_line import read_verb_line
from tuppence.core.errors import InputError

Tuppence = Callable[..., "subprocess.CompletedProcess[str]"]
SCALE = 10.0
STEPS = 240
SMALL = [
    *(
        "--config",
        "tiny",
        "--max-steps",
        str(STEPS),
        "--set",
        "train.checkpoint_every=80",
        "--set",
        "train.eval_every=0",
    ),
    *("--set", "model.n_layers=1", "--set", "model.n_heads=1", "--set", "model.d_model=16"),
    *("--set", "model.context_length=16", "--set", "train.compile=false", "--set", "train.sample_every=0"),
]


@pytest.fixture
def sagemaker(tmp_path: Path) -> Iterator[LocalSageMaker]:
    with LocalSageMaker(tmp_path / "rehearsal", scale=SCALE) as local, local.applied():
        local.client("s3").create_bucket(Bucket=BUCKET)
        yield local


@pytest.mark.soak
def test_an_interrupted_job_gives_the_weights_of_an_uninterrupted_run(
    sagemaker: LocalSageMaker, tuppence: Tuppence, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.chdir(tmp_path)
    monkeypatch.setenv("XDG_CACHE_HOME", str(tmp_path / "cache"))
    for line in (
        ["data", "synth", "stories", "--out", "stories.txt", "--count", "40"],
        ["tokenizer", "train", "stories.txt", "--vocab-size", "300", "--out", "TOK"],
        ["data", "prepare", "stories.txt", "--tokenizer", "TOK", "--out", "DATA"],
    ):
        assert tuppence(*line, cwd=tmp_path).returncode == 0
    here = tuppence("pretrain", "--data", "DATA", "--out", "here", *SMALL, cwd=tmp_path)
    assert here.returncode == 0, here.stderr

    (tmp_path / "work").mkdir()
    wish = Wish("ml.m5.xlarge", spot=True, budget_usd=1.0, bucket=BUCKET, role_arn=ROLE, with_wheels=False)
    prepared = prepare(
        read_verb_line(["pretrain", "--data", "DATA", "--out", "runs/job", *SMALL]), wish, tmp_path / "work"
    )
    name = submit(prepared)
    s3 = sagemaker.client("s3")

    def has_checkpoint(job: object) -> bool:
        time.sleep(0.2)  # the server of S3 needs the processor too
        found = s3.list_objects_v2(Bucket=BUCKET, Prefix="runs/job/checkpoints/").get("Contents", [])
        return any(one["Key"].endswith("MANIFEST.json") for one in found)

    sagemaker.wait_until(name, has_checkpoint, timeout=300)
    with pytest.raises(InputError, match="is InProgress"):
        prepare_resumption(describe(name))
    sagemaker.interrupt(name)
    sagemaker.wait(name, timeout=300)

    job = describe(name)
    log = "\n".join(LogReader(name, None).new_lines())
    assert job.status == "Completed", log
    assert [phase.status for phase in job.phases].count("Interrupted") == 1
    assert "continuing from" in log

    s3.download_file(BUCKET, "runs/job/model/model.safetensors", str(tmp_path / "there.safetensors"))
    here_weights = load_file(tmp_path / "here" / "model" / "model.safetensors")
    there_weights = load_file(tmp_path / "there.safetensors")
    assert here_weights.keys() == there_weights.keys()
    assert all((here_weights[key] == there_weights[key]).all() for key in here_weights)

    receipt = receipt_of(job)
    assert {attempt.job for attempt in receipt.attempts} == {name}
    assert sum(attempt.startup_seconds > 0 for attempt in receipt.attempts) == 2
    assert 0 < receipt.billed_usd < receipt.unreduced_usd  # spot
    assert receipt.unreduced_usd * 0.9 < receipt.ledger_usd <= 1.0

    rows = [line for line in log.splitlines() if line.startswith("metric: ")]
    steps = [int(re.search(r" step=(\d+)", line)[1]) for line in rows]  # type: ignore[index]
    assert steps[-1] == STEPS
    losses = next(one["Regex"] for one in metric_definitions() if one["Name"] == "train:loss")
    assert len([line for line in rows if re.search(losses, line)]) >= STEPS // 10
    assert s3.list_objects_v2(Bucket=BUCKET, Prefix=f"jobs/{name}/")["KeyCount"] <= 3  # the order and a note
