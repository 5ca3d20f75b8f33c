"""Real lives of launched jobs: real processes, taken at random moments, compared with a run that nobody interrupted.

`make soak` lives a hundred of them (TUPPENCE_LIVES sets another number), which takes some hours on two cores.
"""

from __future__ import annotations

import contextlib
import math
import os
import random
import subprocess
import sys

import pytest

from tuppence.aws.local import ACCOUNT, Conditions, Interruption, LocalSageMaker
from tuppence.aws.local.conditions import PHASES

SCALE = 20.0
LIVES = int(os.environ.get("TUPPENCE_LIVES", "100"))
ROLE = f"arn:aws:iam::{ACCOUNT}:role/tuppence"
SMALL = {
    "model.n_layers": 1,
    "model.n_heads": 2,
    "model.d_model": 32,
    "model.context_length": 32,
    "train.batch_size": 4,
    "train.checkpoint_every": 15,
    "train.eval_every": 25,
    "train.compile": "false",
}
RATE = 0.7364  # dollars an hour of ml.g4dn.xlarge, SageMaker training in us-east-1


def words(data, out, steps):
    settings = [word for name, value in SMALL.items() for word in ("--set", f"{name}={value}")]
    return ["pretrain", "--data", str(data), "--out", str(out), "--max-steps", str(steps), *settings]


def tuppence(*words):
    """Runs a command line."""
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    subprocess.run([sys.executable, "-m", "tuppence", *map(str, words)], check=True, env=environment)


@pytest.fixture(scope="session")
def data(tmp_path_factory):
    folder = tmp_path_factory.mktemp("data")
    text, tokenizer, data = folder / "s.txt", folder / "tok", folder / "data"
    tuppence("data", "synth", "stories", "--out", text, "--count", "60", "--seed", "1")
    tuppence("tokenizer", "train", text, "--vocab-size", "400", "--out", tokenizer)
    tuppence("data", "prepare", text, "--tokenizer", tokenizer, "--out", data, "--val-fraction", "0.1")
    return data


@pytest.fixture(scope="session")
def uninterrupted(data, tmp_path_factory):
    """The weights of a run on this machine."""
    out = tmp_path_factory.mktemp("local") / "run"
    tuppence(*words(data, out, 60))
    return (out / "model" / "model.safetensors").read_bytes()


@contextlib.contextmanager
def sagemaker(folder, conditions):
    with LocalSageMaker(folder, conditions=conditions, scale=SCALE) as local, local.applied():
        local.client("s3").create_bucket(Bucket="bucket")
        yield local


def launch(line, workplace, budget, count=1):
    """Starts a job as `tuppence aws launch --spot --count COUNT` does; returns its name."""
    from tuppence.aws.launch import Wish, prepare, submit
    from tuppence.cli.verb_line import read_verb_line

    wish = Wish(
        "ml.g4dn.xlarge",
        spot=True,
        budget_usd=budget,
        bucket="bucket",
        role_arn=ROLE,
        lead_seconds=60,
        with_wheels=False,
    )
    workplace.mkdir()
    return submit(prepare(read_verb_line(line), wish, workplace))


def moments(chance):
    """Interruptions of a life: of up to four attempts, in any phase."""
    for _ in range(chance.randint(1, 4)):
        phase = chance.choice(("Training", *PHASES))
        within = 60 if phase == "Downloading" else 20 if phase == "Uploading" else 400
        yield Interruption(chance.uniform(0, within), phase)


def billed_seconds(description):
    """From the statuses alone: the oracle of the bill."""
    total, began = 0.0, None
    for transition in description["SecondaryStatusTransitions"]:
        if transition["Status"] == "Downloading":
            began = transition["StartTime"]
        elif began is not None and transition["Status"] in ("Interrupted", "Completed", "Stopped", "Failed"):
            total += SCALE * (transition["StartTime"] - began).total_seconds()
            began = None
    return total


def conditions_of(chance):
    return Conditions(
        interruptions=tuple(moments(chance)),
        capacity_seconds=tuple(chance.choice([0.0, 30.0]) for _ in range(5)),
        lead_seconds=60.0,
        upload_seconds=20.0,
        spot_discount=0.0,
    )


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(LIVES))
def test_an_interrupted_job_has_the_weights_of_an_uninterrupted_run(seed, data, uninterrupted, tmp_path):
    from tuppence.aws.jobs import describe
    from tuppence.aws.receipt import receipt_of

    chance = random.Random(seed)
    with sagemaker(tmp_path / "rehearsal", conditions_of(chance)) as local:
        name = launch(words(data, "runs/life", 60), tmp_path / "work", budget=10.0)
        local.wait(name, timeout=800)
        description = local.client("sagemaker").describe_training_job(TrainingJobName=name)
        assert description["TrainingJobStatus"] == "Completed", description.get("FailureReason")
        weights = local.client("s3").get_object(Bucket="bucket", Key="runs/life/model/model.safetensors")["Body"].read()
        assert weights == uninterrupted
        receipt = receipt_of(describe(name, "us-east-1"))
    seconds = billed_seconds(description)
    assert description["BillableTimeInSeconds"] == pytest.approx(seconds, abs=5)
    assert receipt.billed_seconds == description["BillableTimeInSeconds"]
    assert receipt.ledger_usd >= receipt.billed_usd - RATE * 5 / 3600
    assert receipt.ledger_usd <= 10.0


@pytest.mark.soak
@pytest.mark.timeout(900)
@pytest.mark.parametrize("seed", range(max(LIVES // 10, 1)))
def test_a_capped_job_never_bills_more_than_its_cap(seed, data, tmp_path):
    chance = random.Random(1000 + seed)
    cap = math.ceil(chance.uniform(600, 1500) / 3600 * RATE * 100) / 100
    with sagemaker(tmp_path / "rehearsal", conditions_of(chance)) as local:
        name = launch(words(data, "runs/capped", 1_000_000), tmp_path / "work", budget=cap)
        local.wait(name, timeout=800)
        description = local.client("sagemaker").describe_training_job(TrainingJobName=name)
    assert description["TrainingJobStatus"] in ("Completed", "Stopped"), description.get("FailureReason")
    dollars = description["BillableTimeInSeconds"] / 3600 * RATE
    assert dollars <= cap, f"${dollars:.4f} billed, the cap is ${cap:.2f}"


@pytest.mark.soak
@pytest.mark.timeout(900)
def test_two_machines_that_are_taken_continue_exactly(data, tmp_path):
    def weights_after(name, *interruptions):
        conditions = Conditions(interruptions=interruptions, lead_seconds=20.0, spot_discount=0.0)
        with sagemaker(tmp_path / name, conditions) as local:
            job = launch(words(data, "runs/two", 60), tmp_path / f"work-{name}", budget=20.0, count=2)
            if interruptions:
                group = "/aws/sagemaker/TrainingJobs"
                local.wait_until(
                    job,
                    lambda _: any("step=30" in event["message"] for event in local.logs.of_job(group, job)),
                    timeout=400,
                )
                local.interrupt(job)
            assert local.wait(job, timeout=800).status == "Completed"
            assert len(local.jobs.find("training", job).attempts) == 1 + len(interruptions)
            answer = local.client("s3").get_object(Bucket="bucket", Key="runs/two/model/model.safetensors")
            return answer["Body"].read()

    assert weights_after("taken", Interruption(1e9)) == weights_after("spared")
