"""The builder of the notebooks, which is a script and not part of the package."""

from __future__ import annotations

import importlib.util
from types import ModuleType

import pytest
from tests.conftest import ROOT


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
