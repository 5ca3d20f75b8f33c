"""Writes the tokens of a split as shards, each complete or absent, and records the finished ones.

`prepare` is the only caller. A shard is closed at the end of the chunk in which it reaches `shard_tokens` tokens.
Therefore resuming only needs the number of chunks in the finished shards.
"""

from __future__ import annotations

import contextlib
import hashlib
from collections.abc import Iterator
from dataclasses import asdict, dataclass
from pathlib import Path
from typing import IO, Any

import numpy as np

from tuppence.core.errors import CorruptFileError
from tuppence.core.files import atomic_file, read_json, write_json
from tuppence.data.shards import ShardInfo, on_disk, verify_shard

STATE_NAME = "unfinished.json"


@dataclass(frozen=True)
class EncodedChunk:
    """The tokens of a chunk, ready to be written."""

    split: str
    tokens: np.ndarray[Any, Any]
    documents: int
    bytes: int


@dataclass(frozen=True)
class FinishedShard:
    """A shard on the disk and its number of chunks."""

    info: ShardInfo
    chunks: int


class Progress:
    """The finished shards of an unfinished folder. They are recorded in a file of the folder."""

    def __init__(self, folder: Path, request: str, dtype: str) -> None:
        self.path = folder / STATE_NAME
        self._request = request
        self.finished: list[FinishedShard] = self._valid_shards(folder, dtype)

    def of(self, split: str) -> list[FinishedShard]:
        """Returns the finished shards of one split, in order."""
        return [shard for shard in self.finished if shard.info.split == split]

    def add(self, shard: FinishedShard) -> None:
        """Records a shard that has just been written."""
        self.finished.append(shard)
        self.save()

    def save(self) -> None:
        """Writes the file, complete or absent."""
        write_json(self.path, {"request": self._request, "finished": [asdict(shard) for shard in self.finished]})

    def _valid_shards(self, folder: Path, dtype: str) -> list[FinishedShard]:
        """Returns the shards of an earlier, killed run of the same request, up to the first bad one of each split."""
        if not self.path.exists():
            return []
        try:
            state = read_json(self.path)
            if state["request"] != self._request:
                return []
            left = [
                # "record" and "packs" in folders of earlier versions
                FinishedShard(
                    ShardInfo(**(one["info"] if "info" in one else one["record"])),
                    one["chunks"] if "chunks" in one else one["packs"],
                )
                for one in state["finished"]
            ]
        except (CorruptFileError, KeyError, TypeError):
            return []
        valid: list[FinishedShard] = []
        broken: set[str] = set()
        for shard in left:
            try:
                verify_shard(folder, shard.info, dtype, full=True)
            except CorruptFileError:
                broken.add(shard.info.split)
            if shard.info.split not in broken:
                valid.append(shard)
        return valid


class ShardWriter:
    """Appends chunks to the shards of one split. A context manager, so that an error leaves no incomplete shard."""

    def __init__(self, folder: Path, split: str, dtype: str, shard_tokens: int, progress: Progress) -> None:
        self._folder, self._split, self._shard_tokens = folder, split, shard_tokens
        self._type = on_disk(dtype)
        self._progress = progress
        self._count = len(progress.of(split))
        self._stack = contextlib.ExitStack()
        self._out: IO[bytes] | None = None
        self._start_counting()

    def __enter__(self) -> ShardWriter:
        return self

    def __exit__(self, kind: Any, error: Any, trace: Any) -> None:
        if kind is None:
            self.close()
        else:
            self._stack.__exit__(kind, error, trace)

    def add(self, chunk: EncodedChunk) -> None:
        """Appends a chunk, and closes the shard if it is full."""
        if self._out is None:
            self._out = self._stack.enter_context(atomic_file(self._folder / self._name()))
        content = np.ascontiguousarray(chunk.tokens, dtype=self._type).data
        self._out.write(content)
        self._digest.update(content)
        self._tokens += len(chunk.tokens)
        self._bytes += chunk.bytes
        self._documents += chunk.documents
        self._chunks += 1
        if self._tokens >= self._shard_tokens:
            self.close()

    def close(self) -> None:
        """Finishes the shard that is being written, if there is one."""
        if self._out is None:
            return
        self._stack.close()
        info = ShardInfo(
            file=self._name(),
            split=self._split,
            tokens=self._tokens,
            bytes=self._bytes,
            documents=self._documents,
            sha256=self._digest.hexdigest(),
        )
        self._progress.add(FinishedShard(info, self._chunks))
        self._count += 1
        self._out = None
        self._start_counting()

    def _name(self) -> str:
        return f"{self._split}-{self._count:05d}.bin"

    def _start_counting(self) -> None:
        self._digest = hashlib.sha256()
        self._tokens = self._bytes = self._documents = self._chunks = 0


def write_document_offsets(
    folder: Path, split: str, shards: list[ShardInfo], dtype: str, end_of_text: int
) -> tuple[str, str]:
    """Writes the first token of every document of a split, and returns the file's name and sha256.

    Every document ends with the end-of-text id, and no text encodes to it, so the tokens determine the documents.
    """
    name, digest, begin = f"documents-{split}.bin", hashlib.sha256(), 0
    wanted = sum(shard.documents for shard in shards)

    def write(out: IO[bytes], offsets: np.ndarray[Any, Any]) -> None:
        content = np.ascontiguousarray(offsets, dtype="<u8").data
        out.write(content)
        digest.update(content)

    with atomic_file(folder / name) as out:
        written = 0
        if wanted:
            write(out, np.zeros(1))
            written = 1
        for shard in shards:
            for tokens in _blocks(folder / shard.file, dtype):
                starts = np.flatnonzero(tokens == end_of_text) + (begin + 1)
                begin += len(tokens)
                starts = starts[: wanted - written]  # no document begins after the last one
                write(out, starts)
                written += len(starts)
    return name, digest.hexdigest()


def _blocks(shard: Path, dtype: str) -> Iterator[np.ndarray[Any, Any]]:
    """Yields the tokens of a shard, a million at a time."""
    with shard.open("rb") as stream:
        while len(tokens := np.fromfile(stream, dtype=on_disk(dtype), count=2**20)):
            yield tokens
