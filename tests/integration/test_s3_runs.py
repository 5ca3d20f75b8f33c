"""Runs whose folder is in S3: real command lines on moto, killed and continued on machines that have nothing else."""

from __future__ import annotations

import json
import os
import random
import signal
import time
from pathlib import Path

import pytest
from tests.integration.command_lines import digest, settings
from tests.integration.conftest import Run, Start
from tests.s3_servers import Bucket, Server, use

from tuppence.cost.ledger import read_attempts

STEPS = 120
EVERY = ("train.checkpoint_every=10", "train.eval_every=40", "model.dropout=0.1", "train.precision=float32")
MONEY = ("--rate", "3.6")  # a dollar in 1,000 seconds; a budget would bend the schedule, which then depends on time


@pytest.fixture
def bucket(moto: Server, monkeypatch: pytest.MonkeyPatch) -> Bucket:
    return use(moto, monkeypatch)


def line(data: object, out: object, *more: object) -> list[str]:
    words = ["pretrain", "--data", data, "--out", out, "--max-steps", STEPS, *settings(*EVERY), *more]
    return [str(word) for word in words]


def machine(place: Path, number: int) -> dict[str, str]:
    """The environment of a machine that has never seen the run: its cache is empty."""
    return {**os.environ, "OMP_NUM_THREADS": "1", "XDG_CACHE_HOME": str(place / f"cache-{number}")}


def stored_steps(bucket: Bucket, prefix: str) -> list[str]:
    names = [entry.name for entry in bucket.store(prefix).list()]
    return sorted(name.split("/")[1] for name in names if name.endswith("MANIFEST.json"))


def copy_here(bucket: Bucket, prefix: str, folder: Path) -> Path:
    for key, content in bucket.contents(f"{prefix}/").items():
        path = folder / key
        path.parent.mkdir(parents=True, exist_ok=True)
        path.write_bytes(content)
    return folder / prefix


def test_a_run_in_s3_that_is_killed_on_each_machine_has_the_bits_of_one_on_a_disk(
    start_tuppence: Start, tuppence: Run, corpus: Path, tmp_path: Path, bucket: Bucket
) -> None:
    whole = tuppence(*line(corpus / "data", tmp_path / "whole"), env=machine(tmp_path, 0))
    assert whole.returncode == 0, whole.stderr
    data, chance = bucket.put(corpus / "data", "data"), random.Random(3)
    for number, kill in enumerate((signal.SIGKILL, signal.SIGTERM), 1):
        before = stored_steps(bucket, "run")
        process = start_tuppence(*line(data, f"{bucket.url}/run", *MONEY), env=machine(tmp_path, number))
        while stored_steps(bucket, "run") == before and process.poll() is None:
            time.sleep(0.02)
        time.sleep(chance.uniform(0, 0.3))
        process.send_signal(kill)
        _, errors = process.communicate()
        assert process.returncode in (-kill, 128 + kill), errors
        assert stored_steps(bucket, "run"), errors
    done = tuppence(*line(data, f"{bucket.url}/run", *MONEY, "--json"), env=machine(tmp_path, 9))
    assert done.returncode == 0, done.stderr
    assert f"continuing from {bucket.url}/run/checkpoints/step-" in done.stderr
    here = copy_here(bucket, "run", tmp_path / "copy")
    assert digest(here, STEPS) == digest(tmp_path / "whole", STEPS)
    told = done.stdout + done.stderr
    assert not any(bucket.server.secret.encode() in content for content in [*bucket.contents().values(), told.encode()])
    attempts = read_attempts(here / "ledger.jsonl")
    assert len(attempts) == 3 == json.loads(done.stdout)["result"]["attempts"]
    assert json.loads(done.stdout)["result"]["dollars"] == pytest.approx(sum(one.dollars for one in attempts), abs=0.02)
    assert not list((tmp_path / "cache-9" / "tuppence" / "outputs").iterdir())


def test_every_kind_of_output_goes_to_s3(tuppence: Run, tmp_path: Path, bucket: Bucket) -> None:
    url, env = bucket.url, machine(tmp_path, 0)
    for words in (
        ["data", "synth", "stories", "--count", 30, "--out", f"{url}/stories.txt"],
        ["tokenizer", "train", f"{url}/stories.txt", "--vocab-size", 300, "--out", f"{url}/tok"],
        ["data", "prepare", f"{url}/stories.txt", "--tokenizer", f"{url}/tok", "--out", f"{url}/data"],
    ):
        done = tuppence(*words, env=env)
        assert done.returncode == 0, done.stderr
        assert str(tmp_path) not in done.stdout + done.stderr
    contents = bucket.contents()
    assert {"stories.txt", "tok/tokenizer.json", "data/index.json"} <= set(contents)
    again = tuppence("data", "synth", "sms", "--out", f"{url}/stories.txt", env=env)
    assert again.returncode == 2, "an existing file is not overwritten"
    assert bucket.contents() == contents
