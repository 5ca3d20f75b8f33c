"""Whole jobs through real boto3."""

from __future__ import annotations

import json
from pathlib import Path

import pytest
from botocore.exceptions import ClientError
from tests.aws.local.jobs import BUCKET, job, messages, objects, put, run, spot, statuses

from tuppence.aws.local import Conditions, Interruption

QUICK = Conditions(lead_seconds=0)


def channel(uri, **more):
    source = {"S3DataType": "S3Prefix", "S3Uri": uri, **more}
    return [{"ChannelName": "train", "DataSource": {"S3DataSource": source}}]


def test_a_job_reads_its_channel_and_writes_its_model(local, prefix, program):
    sagemaker = local(QUICK)
    put(sagemaker, f"{prefix}/data", a=b"1", b=b"2")
    command = program(
        """
        import json, os, pathlib, sys
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        text = "".join(path.read_text() for path in sorted((base / "input/data/train").iterdir()))
        config = base / "input/config"
        (base / "model/result.json").write_text(json.dumps({
            "data": text,
            "same": os.path.samefile(sys.argv[1], base / "input/data/train"),
            "hyperparameters": json.loads((config / "hyperparameters.json").read_text()),
            "channels": json.loads((config / "inputdataconfig.json").read_text()),
            "resources": json.loads((config / "resourceconfig.json").read_text()),
            "variables": {name: os.environ.get(name) for name in ("COLOUR", "TRAINING_JOB_NAME", "AWS_REGION")},
            "leads": os.getpid() == os.getpgid(0),
        }))
        print("loss 1.5", flush=True)
        """,
        "/opt/ml/input/data/train",
    )
    request = job(
        prefix,
        command,
        InputDataConfig=channel(f"{prefix}/data"),
        HyperParameters={"steps": "10"},
        Environment={"COLOUR": "red"},
    )
    description = run(sagemaker, request)
    assert description["TrainingJobStatus"] == "Completed", description
    assert statuses(description) == ["Starting", "Downloading", "Training", "Uploading", "Completed"]
    assert description["ModelArtifacts"]["S3ModelArtifacts"] == f"{prefix}/out/job/output/model/"
    result = json.loads(objects(sagemaker, f"{prefix}/out/job/output/model")["result.json"])
    assert result["data"] == "12"
    assert result["same"]  # a path of the container in the command is the one of the folder that takes its place
    assert result["hyperparameters"] == {"steps": "10"}
    assert result["channels"]["train"]["TrainingInputMode"] == "File"
    assert result["resources"]["current_instance_type"] == "ml.g4dn.xlarge"
    assert result["variables"] == {"COLOUR": "red", "TRAINING_JOB_NAME": "job", "AWS_REGION": "us-east-1"}
    assert result["leads"]
    assert messages(sagemaker, "job") == ["loss 1.5"]


def test_billed_seconds_are_those_from_download_to_upload(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=30, upload_seconds=20, capacity_seconds=(50,)))
    description = run(sagemaker, job(prefix, program("pass")))
    times = {row["Status"]: row for row in description["SecondaryStatusTransitions"]}
    began, ended = times["Downloading"]["StartTime"], times["Uploading"]["EndTime"]
    assert description["BillableTimeInSeconds"] == pytest.approx(100 * (ended - began).total_seconds(), abs=8)
    assert description["BillableTimeInSeconds"] == description["TrainingTimeInSeconds"] >= 50
    assert (began - description["CreationTime"]).total_seconds() >= 0.5
    assert abs((description["TrainingStartTime"] - began).total_seconds()) < 0.1


def test_spot_is_interrupted_and_starts_again_on_a_fresh_machine(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=0, spot_discount=0.7, final_sync=True))
    command = program(
        """
        import os, pathlib, signal, sys, time
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        saved = base / "checkpoints/step"
        left = base / "code/left-behind"
        (base / "model/seen").write_text(f"{saved.read_text() if saved.exists() else None} {left.exists()}")
        if saved.exists():
            sys.exit()
        def save(*_):
            saved.write_text("7")
            sys.exit(1)
        signal.signal(signal.SIGTERM, save)
        left.touch()
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    client = sagemaker.client("sagemaker")
    client.create_training_job(**spot(prefix, command, CheckpointConfig={"S3Uri": f"{prefix}/checkpoints"}))
    sagemaker.wait_until("job", lambda _: messages(sagemaker, "job") == ["ready"])
    sagemaker.interrupt("job")
    sagemaker.wait("job", timeout=60)
    description = client.describe_training_job(TrainingJobName="job")
    once = ["Starting", "Downloading", "Training"]
    assert statuses(description) == [*once, "Interrupted", *once, "Uploading", "Completed"]
    assert objects(sagemaker, f"{prefix}/out/job/output/model") == {"seen": b"7 False"}
    seconds = description["TrainingTimeInSeconds"]
    assert description["BillableTimeInSeconds"] == pytest.approx(0.3 * seconds, abs=1)


@pytest.mark.parametrize("phase", ["Downloading", "Uploading"])
def test_spot_is_interrupted_while_data_is_copied(local, prefix, program, phase):
    sagemaker = local(
        Conditions(lead_seconds=20, upload_seconds=20, interruptions=(Interruption(5, phase),), final_sync=True)
    )
    put(sagemaker, f"{prefix}/checkpoints", old=b"kept")
    command = program(
        """
        import os, pathlib
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        print(sorted(path.name for path in (base / "checkpoints").iterdir()), flush=True)
        """
    )
    description = run(sagemaker, spot(prefix, command, CheckpointConfig={"S3Uri": f"{prefix}/checkpoints"}))
    first = statuses(description)[: statuses(description).index("Interrupted")]
    assert first[-1] == phase
    assert description["TrainingJobStatus"] == "Completed"
    assert set(messages(sagemaker, "job")) == {"['old']"}
    assert objects(sagemaker, f"{prefix}/checkpoints") == {"old": b"kept"}


def test_all_processes_are_killed_after_the_grace(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=0, grace_seconds=40))
    command = program(
        """
        import signal, subprocess, sys, time
        signal.signal(signal.SIGTERM, lambda *_: print("SIGTERM", flush=True))
        child = "import os, time; print(os.getpid(), flush=True); time.sleep(600)"
        subprocess.Popen([sys.executable, "-S", "-c", child], start_new_session=True)
        while True:
            time.sleep(0.01)
        """
    )
    client = sagemaker.client("sagemaker")
    client.create_training_job(**job(prefix, command))
    sagemaker.wait_until("job", lambda _: len(messages(sagemaker, "job")) == 1)
    client.stop_training_job(TrainingJobName="job")
    assert client.describe_training_job(TrainingJobName="job")["TrainingJobStatus"] == "Stopping"
    sagemaker.wait("job", timeout=60)
    description = client.describe_training_job(TrainingJobName="job")
    assert statuses(description) == ["Starting", "Downloading", "Training", "Stopping", "Uploading", "Stopped"]
    child, term = messages(sagemaker, "job")
    assert term == "SIGTERM"
    assert not Path(f"/proc/{child}/cmdline").exists() or not Path(f"/proc/{child}/cmdline").read_bytes()
    assert description["BillableTimeInSeconds"] >= 40


def test_max_runtime_stops_a_job_and_keeps_its_model(local, prefix, program):
    sagemaker = local(QUICK)
    command = program(
        """
        import os, pathlib, signal, sys, time
        def save(*_):
            (pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "model/weights").write_text("w")
            sys.exit()
        signal.signal(signal.SIGTERM, save)
        time.sleep(60)
        """
    )
    description = run(sagemaker, job(prefix, command, StoppingCondition={"MaxRuntimeInSeconds": 50}))
    assert description["TrainingJobStatus"] == "Stopped"
    assert statuses(description)[-3:] == ["Stopping", "Uploading", "MaxRuntimeExceeded"]
    assert objects(sagemaker, f"{prefix}/out/job/output/model") == {"weights": b"w"}


def test_max_wait_ends_a_spot_job_without_capacity(local, prefix, program):
    sagemaker = local(Conditions(no_capacity=frozenset({"ml.g4dn.xlarge"})))
    description = run(sagemaker, spot(prefix, program("pass"), runtime=10, wait=20))
    assert (description["TrainingJobStatus"], description["SecondaryStatus"]) == ("Stopped", "MaxWaitTimeExceeded")
    assert "TrainingStartTime" not in description
    assert "BillableTimeInSeconds" not in description


def test_a_failing_program_gives_its_reason(local, prefix, program):
    sagemaker = local(QUICK)
    command = program(
        """
        import os, pathlib, sys
        (pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "output/failure").write_text("the loss is NaN" + "!" * 2000)
        sys.exit(3)
        """
    )
    description = run(sagemaker, job(prefix, command))
    assert description["TrainingJobStatus"] == "Failed"
    assert statuses(description) == ["Starting", "Downloading", "Training", "Failed"]
    assert description["FailureReason"].startswith("AlgorithmError: the loss is NaN!!!")
    assert description["FailureReason"].endswith("exit code: 3")
    assert len(description["FailureReason"]) == 1024


def test_a_missing_program_fails_as_in_a_shell(local, prefix, program):
    assert run(local(QUICK), job(prefix, ["no-such-program"]))["FailureReason"].endswith("exit code: 127")


def test_on_demand_falls_back_to_the_next_type(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=0, no_capacity=frozenset({"ml.g5.xlarge"})))
    types = [{"InstanceType": "ml.g5.xlarge"}, {"InstanceType": "ml.g4dn.xlarge"}]
    resources = {"InstancePreferences": types, "InstanceCount": 1}
    description = run(sagemaker, job(prefix, program("pass"), ResourceConfig=resources))
    assert description["ResourceConfig"]["SelectedInstanceType"] == "ml.g4dn.xlarge"
    assert description["ResourceConfig"]["SelectedInstanceCount"] == 1


def test_on_demand_without_capacity_fails(local, prefix, program):
    sagemaker = local(Conditions(patience_seconds=5, no_capacity=frozenset({"ml.g4dn.xlarge"})))
    assert run(sagemaker, job(prefix, program("pass")))["FailureReason"].startswith("CapacityError")


def test_metrics_are_found_in_the_log(local, prefix, program):
    request = job(prefix, program("for step in (1, 2): print(f'metric: step={step} loss={5 / step}', flush=True)"))
    request["AlgorithmSpecification"]["MetricDefinitions"] = [{"Name": "loss", "Regex": r"metric: .*loss=([0-9.]+)"}]
    metrics = run(local(QUICK), request)["FinalMetricDataList"]
    assert [(metric["MetricName"], metric["Value"]) for metric in metrics] == [("loss", 2.5)]


def test_every_host_has_its_time_to_save(local, prefix, program):
    sagemaker = local(QUICK)
    command = program(
        """
        import json, os, pathlib, signal, sys, time
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        config = json.loads((base / "input/config/resourceconfig.json").read_text())
        rank = config["hosts"].index(config["current_host"])
        def save(*_):
            time.sleep(0.3 * rank)  # the first host ends sooner
            (base / f"model/rank-{rank}").touch()
            sys.exit(143)
        signal.signal(signal.SIGTERM, save)
        print("ready", flush=True)
        time.sleep(60)
        """
    )
    resources = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
    client = sagemaker.client("sagemaker")
    client.create_training_job(**job(prefix, command, ResourceConfig=resources))
    sagemaker.wait_until("job", lambda _: messages(sagemaker, "job") == ["ready", "ready"])
    client.stop_training_job(TrainingJobName="job")
    sagemaker.wait("job", timeout=60)
    assert objects(sagemaker, f"{prefix}/out/job/output/model") == {"rank-0": b"", "rank-1": b""}


def test_several_hosts_reach_each_other(local, prefix, program):
    sagemaker = local(QUICK)
    command = program(
        """
        import json, os, pathlib, socket, time
        base = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"])
        config = json.loads((base / "input/config/resourceconfig.json").read_text())
        first, rank = config["hosts"][0], config["hosts"].index(config["current_host"])
        if rank == 0:
            other = socket.create_server((first, 29517)).accept()[0]
            (base / "model/heard").write_bytes(other.recv(100))
        else:
            for _ in range(500):
                try:
                    socket.create_connection((first, 29517)).send(config["current_host"].encode())
                    break
                except OSError:
                    time.sleep(0.01)
        """
    )
    resources = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
    description = run(sagemaker, job(prefix, command, ResourceConfig=resources))
    assert description["TrainingJobStatus"] == "Completed"
    assert objects(sagemaker, f"{prefix}/out/job/output/model") == {"heard": b"127.1.2.2"}


def test_sharded_channels_are_split_between_hosts(local, prefix, program):
    sagemaker = local(QUICK)
    put(sagemaker, f"{prefix}/data", **{f"part-{n}": str(n).encode() for n in range(5)})
    command = program(
        """
        import os, pathlib
        data = pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "input/data/train"
        print(sorted(path.name for path in data.iterdir()), flush=True)
        """
    )
    sharded = channel(f"{prefix}/data/", S3DataDistributionType="ShardedByS3Key")
    resources = {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 2, "VolumeSizeInGB": 1}
    run(sagemaker, job(prefix, command, InputDataConfig=sharded, ResourceConfig=resources))
    assert sorted(messages(sagemaker, "job")) == ["['part-0', 'part-2', 'part-4']", "['part-1', 'part-3']"]


def test_jobs_logs_and_bills_outlive_the_local_sagemaker(local, prefix, program):
    first = local(QUICK)
    described = run(first, spot(prefix, program("print('hello', flush=True)"), Tags=[{"Key": "k", "Value": "v"}]))
    first.__exit__(None, None, None)
    second = local(Conditions(spot_discount=0.9))
    client = second.client("sagemaker")
    again = client.describe_training_job(TrainingJobName="job")
    for answer in (described, again):
        del answer["ResponseMetadata"]
    assert again == described
    assert messages(second, "job") == ["hello"]
    assert client.list_tags(ResourceArn=again["TrainingJobArn"])["Tags"] == [{"Key": "k", "Value": "v"}]


def test_a_job_that_runs_when_the_local_sagemaker_ends_has_failed(local, prefix, program):
    first = local(QUICK)
    first.client("sagemaker").create_training_job(**job(prefix, program("import time; time.sleep(60)")))
    first.wait_until("job", lambda job: job.secondary == "Training")
    first.__exit__(None, None, None)
    description = local(QUICK).client("sagemaker").describe_training_job(TrainingJobName="job")
    assert description["TrainingJobStatus"] == "Failed"
    assert "the rehearsal ended" in description["FailureReason"]


def test_two_local_sagemakers_cannot_share_a_folder(local):
    from tuppence.core.errors import InputError

    local(QUICK)
    with pytest.raises(InputError, match="another process"):
        local(QUICK)


def test_environment_points_real_boto3_at_the_local_services(local, monkeypatch):
    import boto3

    sagemaker = local(QUICK)
    monkeypatch.setenv("AWS_PROFILE", "of-the-user")
    with sagemaker.applied():
        assert boto3.Session().client("sts").get_caller_identity()["Account"] == "000000000000"
        assert BUCKET in [bucket["Name"] for bucket in boto3.Session().client("s3").list_buckets()["Buckets"]]
        with pytest.raises(ClientError, match="no service"):
            boto3.Session().client("kinesis").list_streams()
