"""The options of a run, which exist before torch is imported."""

from __future__ import annotations

import subprocess
import sys

from tuppence.tasks.run_options import RunOptions


def test_options_are_made_without_torch() -> None:
    code = (
        "import sys; from tuppence.tasks.run_options import RunOptions; RunOptions(); assert 'torch' not in sys.modules"
    )
    subprocess.run([sys.executable, "-c", code], check=True)


def test_a_run_without_options_has_no_limit_and_costs_nothing() -> None:
    options = RunOptions()
    assert (options.max_minutes, options.budget_usd, options.ledger) == (None, None, None)
    assert options.rate.rate_usd_per_hour == 0
    assert options.resume == "auto"
