"""A container ends also if the local SageMaker is killed."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
import time

from tuppence.aws.local.guardian import MARK, Guardian, kill_marked

SLEEP = [sys.executable, "-S", "-c", "import time; time.sleep(600)"]
PROGRAM = """
import sys, time
from tuppence.aws.local.guardian import Guardian
Guardian(sys.argv[1])
print("ready", flush=True)
time.sleep(600)
"""


def marked(mark):
    return subprocess.Popen(SLEEP, env={**os.environ, MARK: mark}, start_new_session=True)


def test_marked_processes_are_killed_and_no_others(tmp_path):
    ours, others = marked(f"{tmp_path}-1-a"), marked(f"{tmp_path}-2-b")
    try:
        time.sleep(0.1)  # until both have their environment
        kill_marked(f"{tmp_path}-1-")
        assert ours.wait(timeout=60) == -signal.SIGKILL
        assert others.poll() is None
        Guardian(f"{tmp_path}-2-").close()
        assert others.wait(timeout=60) == -signal.SIGKILL
    finally:
        ours.kill()
        others.kill()


def test_a_killed_parent_leaves_no_container(tmp_path):
    environment = {**os.environ, "PYTHONPATH": os.pathsep.join(sys.path)}
    parent = subprocess.Popen(
        [sys.executable, "-c", PROGRAM, str(tmp_path)], env=environment, stdout=subprocess.PIPE, text=True
    )
    container = marked(f"{tmp_path}-c")
    try:
        assert parent.stdout is not None
        assert parent.stdout.readline() == "ready\n"
        parent.send_signal(signal.SIGKILL)
        parent.wait()
        assert container.wait(timeout=60) == -signal.SIGKILL
    finally:
        container.kill()
