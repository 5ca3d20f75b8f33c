"""Jobs of a few lines of Python, and what a test asks about them."""

from __future__ import annotations

ROLE = "arn:aws:iam::000000000000:role/tuppence"
BUCKET = "rehearsal"


def job(prefix, command, name="job", **changes):
    """The parameters of a training job; a change to None removes one."""
    request = {
        "TrainingJobName": name,
        "RoleArn": ROLE,
        "AlgorithmSpecification": {
            "TrainingImage": "image:1",
            "TrainingInputMode": "File",
            "ContainerEntrypoint": command,
        },
        "OutputDataConfig": {"S3OutputPath": f"{prefix}/out", "CompressionType": "NONE"},
        "ResourceConfig": {"InstanceType": "ml.g4dn.xlarge", "InstanceCount": 1, "VolumeSizeInGB": 1},
        "StoppingCondition": {"MaxRuntimeInSeconds": 3600},
        **changes,
    }
    return {name: value for name, value in request.items() if value is not None}


def spot(prefix, command, name="job", *, runtime=3600, wait=7200, **changes):
    """The parameters of a spot training job."""
    limits = {"MaxRuntimeInSeconds": runtime, "MaxWaitTimeInSeconds": wait}
    return job(prefix, command, name, EnableManagedSpotTraining=True, StoppingCondition=limits, **changes)


def run(sagemaker, request):
    """Runs a training job to its end; returns its description."""
    client = sagemaker.client("sagemaker")
    client.create_training_job(**request)
    sagemaker.wait(request["TrainingJobName"], timeout=60)
    return client.describe_training_job(TrainingJobName=request["TrainingJobName"])


def statuses(description):
    """The secondary statuses in order."""
    return [transition["Status"] for transition in description["SecondaryStatusTransitions"]]


def objects(sagemaker, prefix):
    """The objects below a prefix: name to content."""
    s3, key = sagemaker.client("s3"), prefix.removeprefix(f"s3://{BUCKET}/") + "/"
    found = s3.list_objects_v2(Bucket=BUCKET, Prefix=key).get("Contents", [])
    return {
        entry["Key"].removeprefix(key): s3.get_object(Bucket=BUCKET, Key=entry["Key"])["Body"].read() for entry in found
    }


def put(sagemaker, prefix, **files):
    """Writes objects below a prefix."""
    s3, key = sagemaker.client("s3"), prefix.removeprefix(f"s3://{BUCKET}/")
    for name, content in files.items():
        s3.put_object(Bucket=BUCKET, Key=f"{key}/{name}", Body=content)


def messages(sagemaker, name):
    """The log of a training job, all hosts and attempts; empty as long as there is none."""
    return [event["message"] for event in sagemaker.logs.of_job("/aws/sagemaker/TrainingJobs", name)]
