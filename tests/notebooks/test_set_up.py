"""The set-up cell on Colab, in SageMaker Studio and on a laptop: it installs tuppence, and never touches torch."""

from __future__ import annotations

import json
import os
import subprocess
import sys
from pathlib import Path
from types import ModuleType

import pytest

from tuppence.core.environment import where

FAKE_PIP = """
import json, pathlib, sys
here = pathlib.Path(__file__).parent.parent
constraints = [pathlib.Path(after).read_text() for before, after in zip(sys.argv, sys.argv[1:]) if before == "-c"]
(here / "pip.json").write_text(json.dumps({"arguments": sys.argv[1:], "constraints": constraints}))
(here / "tuppence").mkdir()
(here / "tuppence" / "__init__.py").write_text("def chapter(number): print('chapter', number)")
"""

COLAB = {"COLAB_RELEASE_TAG": "release-colab_20261120-060052_RC00"}
STUDIO = {"SAGEMAKER_APP_TYPE": "JupyterLab"}


@pytest.fixture
def machine(tmp_path: Path) -> Path:
    """A Python without tuppence: torch is installed and cannot be imported, pip records its arguments."""
    for name, content in {
        "torch/__init__.py": "raise RuntimeError('torch was imported')",
        "torch-2.9.0+cu126.dist-info/METADATA": "Metadata-Version: 2.1\nName: torch\nVersion: 2.9.0+cu126\n",
        "google/colab/__init__.py": "",
        "pip/__init__.py": "",
        "pip/__main__.py": FAKE_PIP,
    }.items():
        (tmp_path / name).parent.mkdir(parents=True, exist_ok=True)
        (tmp_path / name).write_text(content)
    return tmp_path


def run_cell(build: ModuleType, machine: Path, environ: dict[str, str]) -> str:
    kept = {name: value for name, value in os.environ.items() if name in ("PATH", "HOME", "LANG")}
    done = subprocess.run(
        [sys.executable, "-S", "-c", build.set_up_cell(1)],  # -S: no site-packages, so no tuppence
        env={**kept, **environ, "PYTHONPATH": str(machine)},
        cwd=machine,
        capture_output=True,
        text=True,
        check=False,
    )
    assert done.returncode == 0, done.stderr
    return done.stdout


@pytest.mark.parametrize(("environ", "place"), [(COLAB, "colab"), (STUDIO, "sagemaker-studio"), ({}, "local")])
def test_it_installs_tuppence_and_keeps_torch(
    machine: Path, environ: dict[str, str], place: str, build: ModuleType, tmp_path: Path
) -> None:
    assert where(environ, root=tmp_path) == place
    assert run_cell(build, machine, environ) == "chapter 1\n"
    called = json.loads((machine / "pip.json").read_text())
    assert not [argument for argument in called["arguments"] if "torch" in argument]
    assert called["constraints"] == ["torch==2.9.0+cu126"]
    assert called["arguments"][-1] == f"tuppence[plot,rehearse] @ git+https://github.com/{build.repository()}"


def test_it_installs_nothing_where_tuppence_is(build: ModuleType, machine: Path) -> None:
    (machine / "tuppence").mkdir()
    (machine / "tuppence" / "__init__.py").write_text("def chapter(number): print('chapter', number)")
    assert run_cell(build, machine, {}) == "chapter 1\n"
    assert not (machine / "pip.json").exists()


def test_it_also_works_where_there_is_no_torch(build: ModuleType, machine: Path) -> None:
    for path in [*(machine / "torch").iterdir(), *(machine / "torch-2.9.0+cu126.dist-info").iterdir()]:
        path.unlink()
    (machine / "torch").rmdir()
    run_cell(build, machine, COLAB)
    assert json.loads((machine / "pip.json").read_text())["constraints"] == [""]


def test_studio_is_known_by_its_metadata_file(tmp_path: Path) -> None:
    file = tmp_path / "opt/ml/metadata/resource-metadata.json"
    file.parent.mkdir(parents=True)
    file.write_text("{}")
    assert where({}, root=tmp_path) == "sagemaker-studio"


def test_every_chapter_begins_with_this_cell(build: ModuleType) -> None:
    for source in build.sources():
        first = next(cell for cell in build.read_source(source).cells if cell.cell_type == "code")
        assert first.source == build.set_up_cell(int(source.name[:2]))


def test_every_chapter_has_the_badge_of_its_own_notebook(build: ModuleType) -> None:
    for source in build.sources():
        address = (
            f"https://colab.research.google.com/github/{build.repository()}/blob/main/notebooks/{source.stem}.ipynb"
        )
        assert f"[![Open in Colab]({build.BADGE})]({address})" in build.read_source(source).cells[0].source


def test_another_set_up_cell_is_replaced_and_nothing_else(build: ModuleType, tmp_path: Path) -> None:
    source = tmp_path / "03_Attention.py"
    rest = "# %% [markdown]\n# Text\n\n# %%\nimport torch\n"
    source.write_text(f"# %% [markdown]\n# Head\n\n# %%\nimport importlib\nold()\nchapter\n\n{rest}")
    build.renew_set_up(source)
    expected = f"# %% [markdown]\n# Head\n\n# %%\n{build.set_up_cell(3)}\n\n{rest}"
    assert source.read_text() == expected
    build.renew_set_up(source)
    assert source.read_text() == expected
