"""How threads that have nothing to do wait, so that several programs share the cores. Called before torch is imported.

On Linux torch computes with libgomp, whose threads meet at the end of every operation. A thread that is there first
repeats a check, hundreds of thousands of times, before it sleeps. Where another program has the core of the thread that
it waits for, nobody uses that time: two small trainings on two cores slow each other down many times over. With a short
wait the core goes to whoever has work. What it brings and costs is in benchmarks/LOG.md.
"""

from __future__ import annotations

import os
from collections.abc import MutableMapping

SPIN_COUNT = "1000"
"""Checks before a waiting thread sleeps; libgomp's own default is 300,000. `benchmarks/busy.py` measures others."""


def share_cores(environ: MutableMapping[str, str] | None = None) -> None:
    """Lets waiting threads sleep early, unless the person has said how they wait. Changes no result by a bit.

    libgomp reads its variables when it is loaded: a call after `import torch` has no effect on this process.

    Args:
        environ: the environment variables; this process's own by default.
    """
    environ = os.environ if environ is None else environ
    if "OMP_WAIT_POLICY" not in environ:
        environ.setdefault("GOMP_SPINCOUNT", SPIN_COUNT)
