"""The files and environment variables that a container finds, in a folder that takes the place of /opt/ml.

Written are the files that the documentation names, and checkpointconfig.json; AWS writes more of them, whose contents
are not documented. Differences to AWS: with several hosts, their names are loopback addresses, because `algo-1` could
not be resolved here, and the network interface is the loopback one.
"""

from __future__ import annotations

import os
import re
import sys
from pathlib import Path
from typing import Any

from tuppence.aws.local.guardian import MARK
from tuppence.aws.local.record import Job
from tuppence.core.files import write_json

BASE = "/opt/ml"
ENTRYPOINT_SCRIPT = "/usr/local/bin/entrypoint.sh"  # of the image: prepares CUDA, then `exec "$@"`
SCALE = "TUPPENCE_TIME_SCALE"  # scaled seconds in a real one
KEPT = ("PATH", "LANG", "LC_ALL", "OMP_NUM_THREADS", "CUDA_VISIBLE_DEVICES", "LD_LIBRARY_PATH", "SSL_CERT_FILE")

_BASE_PATH = re.compile(r"(?<![\w./-])/opt/ml(?=/|:|$)")


def host_names(count: int, number: int) -> list[str]:
    """The names of a job's hosts.

    Args:
        count: of hosts.
        number: of the job, so that jobs which run at the same time have different addresses.
    """
    if count == 1:
        return ["algo-1"]
    return [f"127.{1 + number // 250 % 250}.{1 + number % 250}.{host + 1}" for host in range(count)]


def lay_out(base: Path, job: Job, instance: str, hosts: list[str], host: str) -> None:
    """Writes the folders and configuration files of one host.

    Args:
        base: takes the place of /opt/ml.
    """
    if job.kind == "processing":
        config = base / "config"
        resource = {"current_host": host, "hosts": hosts}
        write_json(_made(config) / "resourceconfig.json", resource)
        write_json(config / "processingjobconfig.json", {"ProcessingJobArn": job.arn, **job.request})
        _made(base / "output")
        for output in job.request.get("ProcessingOutputConfig", {}).get("Outputs", []):
            if "S3Output" in output:
                _made(inside(base, output["S3Output"].get("LocalPath", "")))
        return
    for folder in ("code", "model", "checkpoints", "output/data", "output/metrics", "input/data"):
        _made(base / folder)
    config = _made(base / "input" / "config")
    write_json(config / "hyperparameters.json", job.request.get("HyperParameters", {}))
    write_json(config / "inputdataconfig.json", _channels(job))
    write_json(config / "resourceconfig.json", _resources(instance, hosts, host))
    if "CheckpointConfig" in job.request:
        write_json(config / "checkpointconfig.json", job.request["CheckpointConfig"])


def _made(folder: Path) -> Path:
    folder.mkdir(parents=True, exist_ok=True)
    return folder


def _channels(job: Job) -> dict[str, Any]:
    mode = job.request["AlgorithmSpecification"]["TrainingInputMode"]
    return {
        channel["ChannelName"]: {
            "TrainingInputMode": channel.get("InputMode", mode),
            "S3DistributionType": channel["DataSource"]["S3DataSource"].get(
                "S3DataDistributionType", "FullyReplicated"
            ),
            "RecordWrapperType": channel.get("RecordWrapperType", "None"),
        }
        for channel in job.request.get("InputDataConfig", [])
    }


def _resources(instance: str, hosts: list[str], host: str) -> dict[str, Any]:
    group = "homogeneousCluster"
    return {
        "current_host": host,
        "current_instance_type": instance,
        "current_group_name": group,
        "hosts": hosts,
        "instance_groups": [{"instance_group_name": group, "instance_type": instance, "hosts": hosts}],
        "network_interface_name": "lo",
    }


def inside(base: Path, path: str) -> Path:
    """A path of the container, which is below /opt/ml, as a path of this machine."""
    return base / os.path.normpath(path).removeprefix(BASE).lstrip("/")


def is_in_base(path: str) -> bool:
    """Whether a path of the container is /opt/ml or below it."""
    clean = os.path.normpath(path)
    return clean == BASE or clean.startswith(f"{BASE}/")


def command(job: Job, base: Path) -> list[str]:
    """The container's command. `entrypoint.sh` of the image is left out: it ends in `exec "$@"`."""
    specification = job.request["AlgorithmSpecification" if job.kind == "training" else "AppSpecification"]
    words = [*specification["ContainerEntrypoint"], *specification.get("ContainerArguments", [])]
    return [_here(word, base) for word in (words[1:] if words[0] == ENTRYPOINT_SCRIPT else words)]


def container_environment(
    job: Job, base: Path, region: str, scale: float, mark: str, endpoints: dict[str, str]
) -> dict[str, str]:
    """The environment variables of a container: the job's own, AWS's, and what a process needs on this machine.

    Args:
        mark: the value of `MARK`.
        endpoints: variables that point boto3 at the local services, with their credentials.
    """
    home, temporary = _made(base.parent.parent / "root"), _made(base.parent.parent / "tmp")
    environment = {name: os.environ[name] for name in KEPT if name in os.environ}
    # `python3` is this interpreter, as it would be the image's
    environment["PATH"] = f"{Path(sys.executable).parent}{os.pathsep}{environment.get('PATH', os.defpath)}"
    environment |= {name: _here(value, base) for name, value in job.request.get("Environment", {}).items()}
    environment |= endpoints
    environment |= {
        "HOME": str(home),
        "TMPDIR": str(temporary),
        "AWS_REGION": region,
        "SAGEMAKER_BASE_DIR": str(base),  # read by AWS's toolkit in place of /opt/ml
        MARK: mark,
        SCALE: f"{scale:g}",
    }
    if job.kind == "training":
        environment |= {"TRAINING_JOB_NAME": job.name, "TRAINING_JOB_ARN": job.arn}
    else:
        environment |= {"PROCESSING_JOB_NAME": job.name, "PROCESSING_JOB_ARN": job.arn}
    return environment


def _here(text: str, base: Path) -> str:
    """A text of the request in which /opt/ml, as the beginning of a path, is the folder that takes its place."""
    return _BASE_PATH.sub(lambda _: str(base), text)
