"""The S3 server keeps objects, and ends with the process that started it."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
import urllib.error
import urllib.request

from tuppence.aws.local import LocalSageMaker

PROGRAM = """
import sys, time
from pathlib import Path
from tuppence.aws.local import LocalSageMaker
with LocalSageMaker(Path(sys.argv[1])) as sagemaker:
    s3 = sagemaker.client("s3")
    s3.create_bucket(Bucket="bucket")
    s3.put_object(Bucket="bucket", Key="a/b", Body=b"kept")
    print(sagemaker.s3_endpoint, flush=True)
    time.sleep(600)
"""


def answers(endpoint):
    try:
        urllib.request.urlopen(endpoint, timeout=5).close()
    except urllib.error.HTTPError:
        return True
    except OSError:
        return False
    return True


def test_it_ends_when_its_parent_is_killed_and_its_objects_stay(tmp_path):
    folder = tmp_path / "rehearsal"
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(folder)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        endpoint = parent.stdout.readline().strip()
        assert answers(endpoint)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while answers(endpoint) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(endpoint)
    with LocalSageMaker(folder) as sagemaker:
        answer = sagemaker.client("s3").get_object(Bucket="bucket", Key="a/b")
        assert answer["Body"].read() == b"kept"
