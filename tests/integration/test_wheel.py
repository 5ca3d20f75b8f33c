"""The built wheel works in a bare environment, away from the checkout: nothing is missing, nothing else is needed.

The environment has what the wheel requires with the extras of `make quickstart`, and no other package: those of this
Python are linked into it one by one, so that nothing is downloaded.
"""

from __future__ import annotations

import json
import os
import subprocess
import sys
import sysconfig
import tarfile
import venv
import zipfile
from collections.abc import Callable
from importlib import metadata
from pathlib import Path
from typing import Any

import pytest
from packaging.requirements import Requirement
from tests.conftest import ROOT

EXTRAS = ("files", "plot")

Run = Callable[..., "subprocess.CompletedProcess[str]"]


def build(target: str, source: Path, out: Path) -> Path:
    """The file that the build backend makes of a source folder, without network."""
    command = [sys.executable, "-m", "hatchling", "build", "--target", target, "--directory", str(out)]
    subprocess.run(command, cwd=source, check=True, capture_output=True, timeout=120)
    (built,) = out.iterdir()
    return built


@pytest.fixture(scope="module")
def wheel(tmp_path_factory: pytest.TempPathFactory) -> Path:
    """Built as for a release: from the source distribution, not from the checkout."""
    with tarfile.open(build("sdist", ROOT, tmp_path_factory.mktemp("sdist"))) as packed:
        folder = tmp_path_factory.mktemp("unpacked")
        packed.extractall(folder, filter="data")
    (source,) = folder.iterdir()
    return build("wheel", source, tmp_path_factory.mktemp("wheel"))


def required(requirements: list[str], extras: tuple[str, ...] = ()) -> dict[str, metadata.Distribution]:
    """The installed distributions that these requirements come to, with what they require in turn."""
    found: dict[str, metadata.Distribution] = {}
    waiting = [(Requirement(line), extras) for line in requirements]
    while waiting:
        one, chosen = waiting.pop()
        if one.marker is not None and not any(one.marker.evaluate({"extra": extra}) for extra in ("", *chosen)):
            continue
        distribution = metadata.distribution(one.name)
        if one.name not in found or one.extras:
            found[one.name] = distribution
            waiting += [(Requirement(line), tuple(one.extras)) for line in distribution.requires or ()]
    return found


@pytest.fixture(scope="module")
def bare(wheel: Path, tmp_path_factory: pytest.TempPathFactory) -> Path:
    """The bin folder of an environment with the wheel and what it requires."""
    root = tmp_path_factory.mktemp("bare")
    venv.create(root, symlinks=True)
    site = Path(sysconfig.get_path("purelib", "venv", {"base": str(root)}))
    with zipfile.ZipFile(wheel) as packed:
        (about,) = (name for name in packed.namelist() if name.endswith("/METADATA"))
        requires = metadata.PathDistribution(zipfile.Path(packed, about.removesuffix("METADATA"))).requires
    for distribution in required(requires or [], EXTRAS).values():
        for entry in {file.parts[0] for file in distribution.files or ()} - {"..", "__pycache__"}:
            if not (site / entry).exists():
                (site / entry).symlink_to(Path(str(distribution.locate_file(entry))).resolve())
    pip = [sys.executable, "-m", "pip", "--python", str(root / "bin" / "python"), "install", "--quiet"]
    subprocess.run([*pip, "--no-deps", "--no-index", str(wheel)], check=True, capture_output=True, timeout=120)
    return root / "bin"


@pytest.fixture
def run(bare: Path, tmp_path: Path) -> Run:
    """Runs a program of the bare environment in an empty folder."""
    environment = {key: value for key, value in os.environ.items() if key != "PYTHONPATH"}

    def call(program: str, *arguments: object, timeout: float = 300) -> subprocess.CompletedProcess[str]:
        command = [str(bare / program), *map(str, arguments)]
        return subprocess.run(
            command, cwd=tmp_path, env=environment, capture_output=True, text=True, timeout=timeout, check=False
        )

    return call


def test_the_wheel_has_every_file_of_the_package_and_nothing_beside_it(wheel: Path) -> None:
    listed = subprocess.run(["git", "ls-files", "src"], cwd=ROOT, capture_output=True, text=True, check=True).stdout
    with zipfile.ZipFile(wheel) as packed:
        names = {name for name in packed.namelist() if ".dist-info/" not in name}
    assert names >= {name.removeprefix("src/") for name in listed.splitlines() if (ROOT / name).is_file()}
    assert {name.partition("/")[0] for name in names} == {"tuppence"}


def test_no_tool_of_development_is_needed_to_import_anything(run: Run) -> None:
    code = """
import importlib, pkgutil, sys, tuppence
needs_more = {"tuppence.evaluation.lm_eval.adapter"}
names = {found.name for found in pkgutil.walk_packages(tuppence.__path__, "tuppence.")}
for name in sorted(names - needs_more - {"tuppence.__main__"}):
    importlib.import_module(name)
print(tuppence.__file__, "transformers" in sys.modules)
"""
    done = run("python", "-c", code)
    assert done.returncode == 0, done.stderr
    place, *loaded = done.stdout.split()
    assert not place.startswith(str(ROOT))
    assert loaded == ["False"]


def test_the_doctor_finds_all_that_the_quickstart_needs(run: Run) -> None:
    done = run("tuppence", "doctor", "--json")
    assert done.returncode == 0, done.stderr
    checks: dict[str, Any] = {check["name"]: check for check in json.loads(done.stdout)["checks"]}
    assert checks["torch"]["status"] == "ok"
    assert {name: checks[f"extra {name}"]["status"] for name in (*EXTRAS, "eval")} == {
        "files": "ok",
        "plot": "ok",
        "eval": "warn",
    }


def test_a_recipe_is_found_by_its_name_and_what_is_missing_is_said(run: Run, tmp_path: Path) -> None:
    (tmp_path / "text.txt").write_text("the rain in spain falls mainly on the plain, they say. " * 200)
    steps = [
        ("tokenizer", "train", "text.txt", "--vocab-size", 270, "--out", "tok"),
        ("data", "prepare", "text.txt", "--tokenizer", "tok", "--out", "data", "--val-fraction", 0.1),
    ]
    small = ["--set", "model={preset: gpt2-124m, n_layers: 1, n_heads: 2, d_model: 16, context_length: 16}"]
    small += ["--set", "train.accumulation_steps=1", "--set", "train.batch_size=2", "--set", "train.compile=off"]
    steps.append(("pretrain", "--config", "gpt2-124m", "--data", "data", "--out", "r", "--max-steps", 2, *small))
    for step in steps:
        done = run("tuppence", *step)
        assert done.returncode == 0, done.stderr
    assert "warmup_steps: 700" in (tmp_path / "r" / "run.yaml").read_text()
    done = run("tuppence", "pretrain", "--config", "configs/gpt2-124m.yaml", "--data", "data", "--out", "r2")
    assert (done.returncode, "did you mean --config gpt2-124m?" in done.stderr) == (2, True)
    done = run("tuppence", "evaluate", "r", "--lm-eval", "arc_easy")
    assert (done.returncode, "pip install 'tuppence[eval]'" in done.stderr) == (2, True)


@pytest.mark.slow
def test_the_quickstart_runs_from_the_first_story_to_the_report(run: Run, tmp_path: Path) -> None:
    done = run(
        "tuppence", "quickstart", "--stories", 300, "--rows", 200, "--max-steps", 2, "--out", "life", timeout=600
    )
    assert done.returncode == 0, done.stderr
    assert (tmp_path / "life" / "report.html").read_text().count("<svg") > 3
