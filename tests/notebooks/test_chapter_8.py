"""Chapter 8 runs, and its notebook is in step."""

from __future__ import annotations

from pathlib import Path
from types import ModuleType

from tests.notebooks.chapters import check_chapter


def test_chapter_8(build: ModuleType, tmp_path: Path) -> None:
    check_chapter(8, build, tmp_path)
