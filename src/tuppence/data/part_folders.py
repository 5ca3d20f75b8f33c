"""The folders of the parts of a corpus: found, checked against each other, and verified. Called by `merge`."""

from __future__ import annotations

import json
from collections.abc import Iterator, Mapping, Sequence
from dataclasses import dataclass
from itertools import pairwise
from pathlib import Path

import numpy as np

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import JSON_LIMIT_BYTES, sha256_stream
from tuppence.data.shards import INDEX_NAME, PartInfo, ShardIndex, index_of_json, read_index
from tuppence.data.writer import STATE_NAME
from tuppence.storage import Entry, Store, is_remote, join

AGAIN = "prepare this part again: the same command with its --part"
_NO_PART = "make parts with 'tuppence data prepare … --part I/N'"


@dataclass(frozen=True)
class PartFolder:
    """A prepared part.

    Attributes:
        folder: its name, below the folder that is searched or as a path.
        index: its index, which says what it is a part of.
    """

    folder: str
    index: ShardIndex

    @property
    def info(self) -> PartInfo:
        assert self.index.part is not None
        return self.index.part

    @property
    def name(self) -> str:
        """Such as 2/5."""
        return f"{self.info.number}/{self.info.of}"

    @property
    def files(self) -> list[str]:
        """Its shards and its positions of documents."""
        return [shard.file for shard in self.index.shards] + [
            one.document_offsets for one in self.index.splits.values()
        ]


def read_part(folder: Path) -> PartFolder:
    """Reads the index of a local part.

    Raises:
        InputError: it is unfinished, or no part.
    """
    if (folder / STATE_NAME).exists() and not (folder / INDEX_NAME).exists():
        raise InputError(f"{folder} is not finished", "the same 'tuppence data prepare' command continues it")
    index = read_index(folder)
    if index.part is None:
        raise InputError(f"{folder} is no part of a corpus", _NO_PART)
    return PartFolder(str(folder), index)


def parts_in(store: Store, place: str, entries: Mapping[str, Entry]) -> Iterator[PartFolder]:
    """Yields the finished parts in the sub-folders of a location.

    Args:
        entries: all files of the store, by name.
    """
    for name in entries:
        folder, _, file = name.rpartition("/")
        if file != INDEX_NAME or not folder or "/" in folder:
            continue
        with store.open(name) as stream:
            content = stream.read(JSON_LIMIT_BYTES)
        try:
            index = index_of_json(json.loads(content), join(place, name))
        except (ValueError, RecursionError) as error:
            raise CorruptFileError(f"{join(place, name)} is not valid JSON: {error}", AGAIN) from error
        if index.part is not None:
            yield PartFolder(folder, index)


def complete(parts: Sequence[PartFolder], where: str) -> list[PartFolder]:
    """Returns the parts in order.

    Args:
        where: they were searched, for messages.

    Raises:
        InputError: they are not all parts of one corpus.
    """
    if not parts:
        raise InputError(f"{where} has no parts", _NO_PART)
    parts = sorted(parts, key=lambda part: part.info.number)
    for part in parts[1:]:
        _refuse_other_corpus(parts[0], part)
    for one, other in pairwise(parts):
        if one.info.number == other.info.number:
            raise InputError(f"{one.folder} and {other.folder} are both part {one.name}", "remove one of them")
    of, present = parts[0].info.of, {part.info.number for part in parts}
    missing = [f"{number}/{of}" for number in range(1, of + 1) if number not in present]
    if missing:
        shown = ", ".join([*missing[:5], *([f"and {len(missing) - 5:,} more"] if len(missing) > 5 else [])])
        raise InputError(
            f"part {shown} is missing" if len(missing) == 1 else f"{len(missing)} parts are missing: {shown}",
            f"prepare it: 'tuppence data prepare' with --part {missing[0]}",
        )
    return parts


def _refuse_other_corpus(one: PartFolder, other: PartFolder) -> None:
    pair = f"{one.folder} and {other.folder}"
    if one.index.tokenizer_sha256 != other.index.tokenizer_sha256:
        raise InputError(f"{pair} have tokens of different tokenizers", AGAIN)
    if one.info.of != other.info.of:
        raise InputError(f"{pair} are parts {one.name} and {other.name}", "prepare all parts with the same N")
    if one.info.corpus != other.info.corpus:
        raise InputError(
            f"{pair} are parts of different inputs or settings",
            "all machines must see the same names, sizes and times of the files, and use the same options",
        )


def verify_shards(parts: Sequence[PartFolder], store: Store, place: str, entries: Mapping[str, Entry]) -> None:
    """Compares the sizes of all files, and the sha256 of local ones.

    Raises:
        CorruptFileError: a file is missing or damaged.
    """
    for part in parts:
        width = np.dtype(part.index.dtype).itemsize
        for shard in part.index.shards:
            name = f"{part.folder}/{shard.file}"
            entry = entries.get(name)
            if entry is None:
                raise CorruptFileError(f"{join(place, name)} is missing", AGAIN)
            if entry.size != shard.tokens * width:
                raise CorruptFileError(
                    f"{join(place, name)} has {entry.size:,} of {shard.tokens * width:,} bytes", AGAIN
                )
            if not is_remote(place):
                with store.open(name) as stream:
                    require_sha256(sha256_stream(stream), shard.sha256, join(place, name))


def require_sha256(found: str, wanted: str, name: str) -> None:
    """Raises CorruptFileError if two sums differ."""
    if found != wanted:
        raise CorruptFileError(f"{name} is damaged: its sha256 is not the one in {INDEX_NAME}", AGAIN)
