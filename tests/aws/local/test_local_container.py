"""A container's process: its output is read to the end, and nothing of it stays open."""

from __future__ import annotations

import os
import sys
from pathlib import Path

from tuppence.aws.local.container import MARK, Container


def test_the_output_is_read_and_closed(tmp_path: Path) -> None:
    lines: list[str] = []
    environment = {**os.environ, MARK: "test-of-output"}
    container = Container(
        [sys.executable, "-c", "print('one'); print('two'); exit(3)"], environment, tmp_path, lines.append
    )
    assert (container.wait(), lines) == (3, ["one", "two"])
    assert container._process is not None
    assert container._process.stdout is not None
    assert container._process.stdout.closed  # else Python warns about each container of a notebook
