"""The picture of the packages in CONTRIBUTING.md is the one that the code draws."""

from __future__ import annotations

import ast
import tomllib
from pathlib import Path

ROOT = Path(__file__).resolve().parent.parent
SOURCE = ROOT / "src" / "tuppence"


def layers() -> list[str]:
    """The packages from the top to the bottom, as import-linter has them."""
    contracts = tomllib.loads((ROOT / "pyproject.toml").read_text())["tool"]["importlinter"]["contracts"]
    named = next(contract["layers"] for contract in contracts if contract["type"] == "layers")
    return [package.strip().removeprefix("tuppence.") for layer in named for package in layer.split("|")]


def imported_by(package: str) -> set[str]:
    """The other packages that a package imports, wherever in its files."""
    found = set()
    for path in (SOURCE / package).rglob("*.py"):
        for node in ast.walk(ast.parse(path.read_text())):
            if isinstance(node, ast.Import):
                found |= {alias.name for alias in node.names}
            elif isinstance(node, ast.ImportFrom) and node.module:
                found |= {f"{node.module}.{alias.name}" for alias in node.names}
    return {name.split(".")[1] for name in found if name.startswith("tuppence.")} & set(layers()) - {package}


def picture() -> str:
    """One row for each package, the highest first, and a mark below the number of each package that it imports."""
    packages = layers()
    numbers = {package: len(packages) - index for index, package in enumerate(packages)}
    width = max(map(len, packages)) + 5
    rows = [" " * width + "".join(f"{number:>4}" for number in range(1, len(packages) + 1))]
    for package in packages:
        imports = {numbers[name] for name in imported_by(package)}
        marks = "".join("   ●" if number in imports else "   ·" for number in range(1, numbers[package]))
        rows.append(f"{numbers[package]:>2}  {package:<{width - 4}}{marks}")
    return "\n".join(f"    {row}".rstrip() for row in rows)


def test_the_picture_of_the_packages_is_true() -> None:
    expected = picture()
    assert expected in (ROOT / "CONTRIBUTING.md").read_text(), f"the packages are now\n{expected}"


def test_every_package_has_a_layer() -> None:
    folders = {path.parent.name for path in SOURCE.glob("*/__init__.py")}
    assert folders == set(layers())
