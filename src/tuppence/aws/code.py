"""The code of a job as an input channel: this package, and wheels of what SageMaker's image lacks, in one archive.

Nothing is installed when the job starts: that would need the network and billed minutes. The wheels come from a folder
of the user or from the package index, once; they stay in the user's cache.
"""

from __future__ import annotations

import importlib.metadata
import subprocess
import sys
import zipfile
from collections.abc import Iterator, Sequence
from pathlib import Path

from tuppence.aws import start_job
from tuppence.aws.uploads import Tree, tree_of
from tuppence.core.cache import cache_folder
from tuppence.core.errors import InputError
from tuppence.core.files import sha256_file

CHANNEL = "code"
ARCHIVE = "code.zip"
STARTER = "start_job.py"
UNPACKED = "wheels"
"""Folder of the archive with the contents of the wheels; `start_job` puts it on the path of the image's Python."""
WHEELS = ("safetensors", "tiktoken", "regex")
"""Core dependencies that the image for torch 2.13 does not have (its lock file, August 2026)."""
TRACKERS_WHEELS = {"tensorboard": ("tensorboard", "absl-py", "protobuf")}
"""Value of `--track` → what it needs and the image lacks."""
PYTHON = "3.12"
"""Of the image."""
_PLATFORMS = ("manylinux_2_28_x86_64", "manylinux_2_17_x86_64", "manylinux2014_x86_64")
_DATE = (2020, 1, 1, 0, 0, 0)
_SECONDS = 300


def code_tree(folder: Path, wheels: Sequence[Path]) -> tuple[Tree, str]:
    """Packs the code and returns the tree of its channel, and the sha256 of the archive.

    The same code gives the same bytes, so that it is uploaded once.

    Args:
        folder: where the archive is written.
        wheels: their contents become part of it.
    """
    archive = folder / ARCHIVE
    package = Path(__file__).resolve().parent.parent
    with zipfile.ZipFile(archive, "w", zipfile.ZIP_DEFLATED, compresslevel=6) as packed:
        for name, content in _contents(package, wheels):
            packed.writestr(zipfile.ZipInfo(name, _DATE), content, zipfile.ZIP_DEFLATED)
    starter = folder / STARTER
    starter.write_bytes(Path(start_job.__file__).read_bytes())
    tree = tree_of(folder, lambda name: name in (ARCHIVE, STARTER))
    plain = {name.rpartition("/")[2]: name for name in tree.files}
    files = {short: tree.files[name] for short, name in plain.items()}
    return Tree(files, {short: tree.facts[name] for short, name in plain.items()}), sha256_file(archive)


def pins(names: Sequence[str] = WHEELS) -> dict[str, str]:
    """The versions of packages in this environment, which the job uses too.

    Raises:
        InputError: one is not installed here.
    """
    try:
        return {name: importlib.metadata.version(name) for name in names}
    except importlib.metadata.PackageNotFoundError as error:
        raise InputError(f"{error.name} is not installed here", f"pip install {error.name}") from error


def find_wheels(names: Sequence[str] = WHEELS, given: Path | None = None) -> list[Path]:
    """Finds the wheels for the image's Python, in a folder of the user or in the cache; downloads those that lack.

    Args:
        given: a folder with wheels; nothing is downloaded then.

    Raises:
        InputError: a wheel is missing and cannot be downloaded.
    """
    wanted = pins(names)
    folder = given or _cache()
    missing = [name for name, version in wanted.items() if _find(folder, name, version) is None]
    if missing and given is None:
        folder.mkdir(parents=True, exist_ok=True)
        _download(folder, [f"{name}=={wanted[name]}" for name in missing])
    found = {name: _find(folder, name, version) for name, version in wanted.items()}
    for name, path in found.items():
        if path is None:
            raise InputError(
                f"{folder} has no wheel of {name} {wanted[name]} for Python {PYTHON} on Linux x86_64",
                f"get it where there is a network: {_command(Path('WHEELS'), [f'{name}=={wanted[name]}'], 'pip')}",
            )
    return [path for path in found.values() if path is not None]


def _cache() -> Path:
    cache = cache_folder()
    if cache is None:
        raise InputError("there is no home folder to keep wheels in", "give --wheels FOLDER")
    return cache / "wheels"


def _find(folder: Path, name: str, version: str) -> Path | None:
    """A wheel that Python 3.12 on x86_64 can use: for cp312, for the stable ABI, or of pure Python."""
    stem = name.replace("-", "_")
    for path in sorted(folder.glob("*.whl")):
        parts = path.stem.split("-")
        if len(parts) < 5 or parts[0].lower() != stem or parts[1] != version:
            continue
        tag, abi, platform = parts[-3:]
        pure = abi == "none" and platform == "any"
        fits = abi == "abi3" or (tag == "cp312" and abi == "cp312")
        if pure or (fits and "manylinux" in platform and "x86_64" in platform):
            return path
    return None


def _command(folder: Path, requirements: Sequence[str], *pip: str) -> str:
    return " ".join([*pip, *_arguments(folder, requirements)])


def _arguments(folder: Path, requirements: Sequence[str]) -> list[str]:
    platforms = [word for platform in _PLATFORMS for word in ("--platform", platform)]
    only = ["--only-binary=:all:", "--no-deps", "--python-version", PYTHON, "--implementation", "cp"]
    return ["download", "-d", str(folder), *only, *platforms, *requirements]


def _download(folder: Path, requirements: Sequence[str]) -> None:
    command = [sys.executable, "-m", "pip", *_arguments(folder, requirements), "-q"]
    by_hand = f"on a machine with a network: {_command(Path('WHEELS'), requirements, 'pip')}; then give --wheels WHEELS"
    try:
        done = subprocess.run(command, capture_output=True, text=True, timeout=_SECONDS)
    except (OSError, subprocess.TimeoutExpired) as error:
        raise InputError(f"wheels for the job cannot be downloaded: {error}", by_hand) from error
    if done.returncode:
        lines = [line for line in done.stderr.splitlines() if line.startswith("ERROR")] or ["pip failed"]
        raise InputError(f"wheels for the job cannot be downloaded: {lines[-1]}", by_hand)


def _contents(package: Path, wheels: Sequence[Path]) -> Iterator[tuple[str, bytes]]:
    """Yields (name, content) of the archive, sorted."""
    found: dict[str, Path] = {
        f"{package.name}/{path.relative_to(package).as_posix()}": path
        for path in package.rglob("*")
        if path.is_file() and "__pycache__" not in path.parts and path.suffix != ".pyc"
    }
    for name in sorted(found):
        yield name, found[name].read_bytes()
    for wheel in sorted(wheels):
        with zipfile.ZipFile(wheel) as packed:
            for name in sorted(packed.namelist()):
                if not name.endswith("/"):
                    yield f"{UNPACKED}/{name}", packed.read(name)
