"""Waiting threads sleep early, unless the person has said how they wait."""

from __future__ import annotations

import os
import subprocess
import sys

import pytest

from tuppence.core.threads import SPIN_COUNT, share_cores


@pytest.mark.parametrize(
    ("given", "count"),
    [({}, SPIN_COUNT), ({"GOMP_SPINCOUNT": "7"}, "7"), ({"OMP_WAIT_POLICY": "active"}, None)],
)
def test_what_the_person_has_set_is_kept(given: dict[str, str], count: str | None) -> None:
    environ = dict(given)
    share_cores(environ)
    assert environ.get("GOMP_SPINCOUNT") == count
    assert environ.get("OMP_WAIT_POLICY") == given.get("OMP_WAIT_POLICY")


@pytest.mark.skipif(not sys.platform.startswith("linux"), reason="libgomp is the OpenMP of torch on Linux")
def test_the_command_line_sets_it_before_libgomp_is_loaded() -> None:
    """libgomp itself says what it has read, when it is loaded."""
    program = "import sys; sys.argv = ['tuppence', 'doctor']; import tuppence.cli; tuppence.cli.main()"
    environment = {key: value for key, value in os.environ.items() if "OMP_" not in key}
    done = subprocess.run(
        [sys.executable, "-c", program],
        env={**environment, "OMP_DISPLAY_ENV": "verbose"},
        capture_output=True,
        text=True,
        timeout=120,
        check=True,
    )
    assert f"GOMP_SPINCOUNT = '{SPIN_COUNT}'" in done.stderr
