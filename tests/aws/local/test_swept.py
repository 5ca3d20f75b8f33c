"""The sweep against the local SageMaker: a running process is found, stopped with SIGTERM, and gone."""

from __future__ import annotations

import time

from tests.aws.account import only_kinds
from tests.aws.local.jobs import job, messages

from tuppence.aws import sweep
from tuppence.aws.local import Conditions


def test_a_running_job_is_found_stopped_and_gone(local, prefix, program, monkeypatch):
    sagemaker = local(Conditions(lead_seconds=0))
    command = program(
        """
        import signal, sys, time
        signal.signal(signal.SIGTERM, lambda *_: sys.exit("told to stop"))
        print("training", flush=True)
        time.sleep(60)
        """
    )
    for name in ("tuppence-a", "shop"):
        sagemaker.client("sagemaker").create_training_job(**job(prefix, command, name))
    while not messages(sagemaker, "tuppence-a"):
        time.sleep(0.01)
    monkeypatch.delenv("TUPPENCE_AWS_ENDPOINT", raising=False)
    for name, value in sagemaker.environment.items():
        monkeypatch.setenv(name, value)
    only_kinds(monkeypatch, "training-job", "processing-job", "warm-pool")

    where = sweep.places(None)
    found = {one.id: one for one in sweep.look(where).findings}
    assert set(found) == {"training-job/tuppence-a", "training-job/shop"}
    assert found["training-job/tuppence-a"].usd_per_day == 0.7364 * 24

    done = sweep.clear(where, pause=lambda _: time.sleep(0.05), most_seconds=1500)
    assert done.is_proven, (done.left, done.report.unseen)
    assert [one.id for one in done.report.findings] == ["training-job/shop"], "its process runs on"
    ended = sagemaker.client("sagemaker").describe_training_job(TrainingJobName="tuppence-a")
    assert ended["TrainingJobStatus"] == "Stopped"
