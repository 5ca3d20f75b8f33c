"""Compares the files of a folder with the sha256 that the folder lists for them.

Three kinds of list are supported: the MANIFEST.json of a checkpoint, the index.json of a folder of token shards, and
SHA256SUMS in the format of `sha256sum`. A listed file that is missing is not an error here, because only the reader of
the folder knows whether it needs the file.
"""

from __future__ import annotations

import contextlib
import re
from collections.abc import Callable, Iterator, Mapping
from pathlib import Path
from typing import Any

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import read_json, sha256_file

_SUM = re.compile(r"^([0-9a-f]{64}) [ *](.+)$", re.MULTILINE)


def verify_checksums(folder: Path) -> int:
    """Verifies every file below `folder` whose sha256 is in a list there, and returns the number of verified files.

    Raises:
        CorruptFileError: the sha256 of a file differs from the list.
    """
    verified = 0
    for name, digests_of in LISTS.items():
        for listing in sorted(folder.rglob(name)):
            for file, expected in digests_of(listing):
                path = listing.parent / file
                if Path(file).name != file or not path.is_file():
                    continue
                if sha256_file(path) != expected:
                    raise CorruptFileError(
                        f"{path} is damaged: its sha256 is not the one in {name}", "restore the file at its origin"
                    )
                verified += 1
    return verified


def _of_manifest(path: Path) -> Iterator[tuple[str, str]]:
    for name, facts in _mapping(path).items():
        if isinstance(facts, dict) and isinstance(facts.get("sha256"), str):
            yield name, facts["sha256"]


def _of_index(path: Path) -> Iterator[tuple[str, str]]:
    index = _mapping(path)
    shards, splits = index.get("shards"), index.get("splits")
    pairs = [(one, "file", "sha256") for one in (shards if isinstance(shards, list) else [])]
    pairs += [
        (one, "document_offsets", "document_offsets_sha256")
        for one in (splits.values() if isinstance(splits, dict) else [])
    ]
    for facts, file, digest in pairs:
        if isinstance(facts, dict) and isinstance(facts.get(file), str) and isinstance(facts.get(digest), str):
            yield facts[file], facts[digest]


def _of_sums(path: Path) -> Iterator[tuple[str, str]]:
    for digest, name in _SUM.findall(path.read_text(encoding="utf-8", errors="replace")):
        yield name, digest


def _mapping(path: Path) -> Mapping[str, Any]:
    """Reads a JSON object. Returns {} for any other content: the reader of the folder reports that error."""
    with contextlib.suppress(InputError):
        content = read_json(path)
        return content if isinstance(content, dict) else {}
    return {}


LISTS: Mapping[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "MANIFEST.json": _of_manifest,
    "index.json": _of_index,
    "SHA256SUMS": _of_sums,
}
