"""The names of files in a run folder are spelled in `core.run`, and nowhere else."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import tuppence
from tuppence.core.run import Run

PACKAGE = Path(tuppence.__file__).parent
GUIDE = PACKAGE.parent.parent / "docs" / "guide" / "run-folder.md"
MAY_SPELL_THEM = ("core/", "aws/container.py", "aws/local/")  # SageMaker's /opt/ml has folders of the same names
HERE = Path("RUN")
NAMES = {
    value.relative_to(HERE).parts[0]
    for name in dir(Run)
    if isinstance(getattr(Run, name), property) and isinstance(value := getattr(Run(HERE), name), Path)
}
WORDS = {name for name in NAMES if re.fullmatch("[a-z]+", name)}
"""Also ordinary words: these are names of files only where they are joined to a path."""


def spelled(source: str) -> Iterator[tuple[int, str]]:
    """Line and name of every literal that names a file of a run."""
    for node in ast.walk(ast.parse(source)):
        match node:
            case ast.Constant(value=str(text)) if " " not in text and _names_one(text.split("/")):
                yield node.lineno, text
            case ast.BinOp(op=ast.Div(), right=ast.Constant(value=str(text))) if text in WORDS:
                yield node.lineno, text
            case ast.Call(func=ast.Attribute(attr="joinpath"), args=[*_, ast.Constant(value=str(text))]):
                if text in WORDS:
                    yield node.lineno, text


def _names_one(parts: list[str]) -> bool:
    return bool(set(parts) & (NAMES - WORDS)) or (len(parts) > 1 and parts[-1] in WORDS)


@pytest.mark.parametrize(
    "line",
    [
        'x / "run.yaml"',
        '"metrics.jsonl"',
        'x / "model"',
        'x.joinpath("adapter")',
        '"pretrain/model"',
        'f"{x}/report.html"',
    ],
)
def test_the_scan_finds_a_name_however_it_is_spelled(line: str) -> None:
    assert list(spelled(line))


@pytest.mark.parametrize("line", ['values["model"]', '"there is no run.yaml in it"', 'x / "config.json"'])
def test_the_scan_leaves_other_words_alone(line: str) -> None:
    assert not list(spelled(line))


def test_no_other_package_spells_the_name_of_a_file_in_a_run() -> None:
    found = [
        f"{path.relative_to(PACKAGE)}:{line}: {text}"
        for path in sorted(PACKAGE.rglob("*.py"))
        if not str(path.relative_to(PACKAGE)).startswith(MAY_SPELL_THEM)
        for line, text in spelled(path.read_text(encoding="utf-8"))
    ]
    assert not found, "use a property of core.run.Run instead"


def test_the_guide_and_the_docstring_list_every_file() -> None:
    import tuppence.core.run

    for text in (GUIDE.read_text(encoding="utf-8"), tuppence.core.run.__doc__ or ""):
        listed = set(re.findall(r"^ +([a-z.-]+)/? ", text, re.MULTILINE))
        assert listed >= NAMES
