"""With a budget, the ledger is opened before torch is imported, because that time costs money too."""

from __future__ import annotations

import subprocess
import sys

import pytest

PROGRAM = """
import sys
from tuppence.tasks import attempt

def opened(*arguments, **options):
    print("torch" in sys.modules, "numpy" in sys.modules)
    sys.exit(0)

attempt.open_ledger = opened
sys.argv = ["tuppence", *sys.argv[1:], "--out", "none", "--budget", "1", "--rate", "1"]
from tuppence.cli import main
main()
"""


@pytest.mark.parametrize(
    "line",
    [
        "pretrain --data none",
        "finetune classify --base none --data none",
        "finetune instruct --base none --data none",
        "align reward --base none --data none",
        "align dpo --base none --data none",
        "align ppo --base none --reward none --data none",
    ],
)
def test_ledger_is_opened_before_torch_is_imported(line: str) -> None:
    done = subprocess.run(
        [sys.executable, "-c", PROGRAM, *line.split()], capture_output=True, text=True, timeout=120, check=False
    )
    assert done.stdout.strip() == "False False", done.stderr
