"""Processing jobs through real boto3."""

from __future__ import annotations

import pytest
from botocore.exceptions import ClientError
from tests.aws.local.jobs import ROLE, objects, put

from tuppence.aws.local import Conditions


def request(prefix, command, **changes):
    return {
        "ProcessingJobName": "prepare",
        "RoleArn": ROLE,
        "AppSpecification": {"ImageUri": "image:1", "ContainerEntrypoint": command},
        "ProcessingResources": {
            "ClusterConfig": {"InstanceType": "ml.m5.large", "InstanceCount": 2, "VolumeSizeInGB": 1}
        },
        "ProcessingInputs": [
            {
                "InputName": "texts",
                "S3Input": {
                    "S3Uri": f"{prefix}/texts/",
                    "LocalPath": "/opt/ml/processing/input/texts",
                    "S3DataType": "S3Prefix",
                    "S3InputMode": "File",
                    "S3DataDistributionType": "ShardedByS3Key",
                },
            }
        ],
        "ProcessingOutputConfig": {
            "Outputs": [
                {
                    "OutputName": "shards",
                    "S3Output": {
                        "S3Uri": f"{prefix}/shards",
                        "LocalPath": "/opt/ml/processing/output",
                        "S3UploadMode": "EndOfJob",
                    },
                }
            ]
        },
        **changes,
    }


def test_hosts_process_their_shares(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=0))
    put(sagemaker, f"{prefix}/texts", a=b"aa", b=b"bb", c=b"cc")
    command = program(
        """
        import json, os, pathlib, sys
        texts, out = map(pathlib.Path, sys.argv[1:])
        config = json.loads((pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "config/resourceconfig.json").read_text())
        host = config["hosts"].index(config["current_host"])
        (out / f"shard-{host}").write_text("".join(path.read_text() for path in sorted(texts.iterdir())))
        """,
        "/opt/ml/processing/input/texts",
        "/opt/ml/processing/output",
    )
    client = sagemaker.client("sagemaker")
    client.create_processing_job(**request(prefix, command))
    sagemaker.wait("prepare", kind="processing", timeout=60)
    description = client.describe_processing_job(ProcessingJobName="prepare")
    assert description["ProcessingJobStatus"] == "Completed", description
    assert objects(sagemaker, f"{prefix}/shards") == {"shard-0": b"aacc", "shard-1": b"bb"}
    assert description["ProcessingEndTime"] > description["ProcessingStartTime"]
    rows = client.list_processing_jobs(StatusEquals="Completed")["ProcessingJobSummaries"]
    assert [row["ProcessingJobName"] for row in rows] == ["prepare"]


def test_a_failure_has_its_exit_message_and_nothing_is_written(local, prefix, program):
    sagemaker = local(Conditions(lead_seconds=0))
    put(sagemaker, f"{prefix}/texts", a=b"aa")
    command = program(
        """
        import os, pathlib, sys
        (pathlib.Path(os.environ["SAGEMAKER_BASE_DIR"]) / "output/message").write_text("no text")
        pathlib.Path(sys.argv[1], "half").touch()
        sys.exit(4)
        """,
        "/opt/ml/processing/output",
    )
    client = sagemaker.client("sagemaker")
    client.create_processing_job(**request(prefix, command))
    sagemaker.wait("prepare", kind="processing", timeout=60)
    description = client.describe_processing_job(ProcessingJobName="prepare")
    assert description["ProcessingJobStatus"] == "Failed"
    assert description["ExitMessage"] == "no text"
    assert objects(sagemaker, f"{prefix}/shards") == {}


def test_paths_outside_of_opt_ml_are_refused(local, prefix):
    sagemaker = local()
    put(sagemaker, f"{prefix}/texts", a=b"aa")
    outside = request(prefix, ["true"])
    outside["ProcessingInputs"][0]["S3Input"]["LocalPath"] = "/opt/ml/../../etc"
    with pytest.raises(ClientError, match="LocalPath must be below /opt/ml"):
        sagemaker.client("sagemaker").create_processing_job(**outside)
