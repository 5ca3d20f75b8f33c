"""The sha256 that a folder states for its own files, compared with the files.

Three kinds of list are known: a checkpoint's MANIFEST.json, the index.json of a folder of token shards, and SHA256SUMS
as `sha256sum` writes it. A file that is listed and absent is not an error here: whoever reads the folder knows whether
it needs that file.
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
    """Compares every file below `folder` for which a list there states a sha256; returns how many there are.

    Raises:
        CorruptFileError: a file is not the one that was listed.
    """
    verified = 0
    for name, digests_of in _LISTS.items():
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
    """A JSON object; empty where the file is something else, which its reader will say."""
    with contextlib.suppress(InputError):
        content = read_json(path)
        return content if isinstance(content, dict) else {}
    return {}


_LISTS: Mapping[str, Callable[[Path], Iterator[tuple[str, str]]]] = {
    "MANIFEST.json": _of_manifest,
    "index.json": _of_index,
    "SHA256SUMS": _of_sums,
}
