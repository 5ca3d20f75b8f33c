"""The S3 server keeps objects, and ends with the process that started it."""

from __future__ import annotations

import contextlib
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
from tuppence.aws.local.s3_server import S3Server
server = S3Server(Path(sys.argv[1]))
print(server.endpoint, flush=True)
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


def test_it_ends_when_its_parent_is_killed(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    with subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], stdout=subprocess.PIPE, text=True, env=environment
    ) as parent:
        assert parent.stdout is not None
        endpoint = parent.stdout.readline().strip()
        assert answers(endpoint)
        os.kill(parent.pid, signal.SIGKILL)
    deadline = time.monotonic() + 60
    while answers(endpoint) and time.monotonic() < deadline:
        time.sleep(0.05)
    assert not answers(endpoint)


def test_objects_outlive_the_server(tmp_path):
    for round_ in range(2):
        with LocalSageMaker(tmp_path / "rehearsal") as sagemaker:
            s3 = sagemaker.client("s3")
            if round_ == 0:
                s3.create_bucket(Bucket="bucket")
                s3.put_object(Bucket="bucket", Key="a/b", Body=b"kept")
            with contextlib.closing(s3.get_object(Bucket="bucket", Key="a/b")["Body"]) as body:
                assert body.read() == b"kept"
