"""The builder of the notebooks, a script outside the package, and the settings of chapters in tests."""

from __future__ import annotations

import importlib.util
from collections.abc import Iterator
from pathlib import Path
from types import ModuleType

import pytest
from tests.conftest import ROOT
from tests.notebooks.cells import chapter_at


def load_builder() -> ModuleType:
    spec = importlib.util.spec_from_file_location("notebooks_build", ROOT / "notebooks" / "build.py")
    assert spec is not None
    assert spec.loader is not None
    module = importlib.util.module_from_spec(spec)
    spec.loader.exec_module(module)
    return module


@pytest.fixture(scope="session")
def build() -> ModuleType:
    return load_builder()


@pytest.fixture
def at_test_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("test", tmp_path, monkeypatch):
        yield


@pytest.fixture
def at_laptop_scale(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> Iterator[None]:
    with chapter_at("laptop", tmp_path, monkeypatch):
        yield
