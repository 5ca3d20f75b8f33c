"""Executes one chapter at the scale "test", with warnings as errors. One test file a chapter: they run side by side."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from tests.conftest import ROOT


def check_chapter(number: int, build: ModuleType, tmp_path: Path) -> None:
    """Executes the source of a chapter in an empty folder, and checks source, notebook and outputs."""
    (source,) = (source for source in build.sources() if int(source.name[:2]) == number)
    environ = {
        "TUPPENCE_SCALE": "test",
        "TUPPENCE_COURSE": str(tmp_path / "runs"),
        "PYTHONPATH": str(ROOT / "src"),
        "PYTHONWARNINGS": "error,ignore::PendingDeprecationWarning",  # ipykernel raises one when it ends
    }
    executed = build.execute(source, environ, folder=tmp_path)
    assert build.problems_of_outputs(executed) == []
    assert build.problems_of(source) == []
