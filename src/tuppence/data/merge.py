"""Puts the parts of a corpus together, by an index: the tokens stay where they are.

    DATA/
      index.json            names the shards of all parts, in the order of the parts; written last
      documents-train.bin   the positions of the parts' documents, moved by the tokens of the parts before
      tokenizer/
      part-1/ …             a part, as `prepare` wrote it

The result has the documents, the tokens and their order of one `prepare` of the whole corpus; only the ends of the
shards differ. Works in a local folder and in S3. Parts elsewhere on this machine are linked or copied into the folder.

Memory is bounded but for the index: about a kilobyte for each shard.
"""

from __future__ import annotations

import contextlib
import hashlib
import os
import shutil
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import replace
from pathlib import Path
from typing import IO, Any

import numpy as np

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import atomic_file, encode_json, explain_disk_errors, write_json
from tuppence.core.locks import lock_folder
from tuppence.data.part_folders import AGAIN, PartFolder, complete, parts_in, read_part, require_sha256, verify_shards
from tuppence.data.prepare import PrepareSummary, check_splits, summary_of
from tuppence.data.shards import INDEX_NAME, ShardIndex, SplitInfo, read_index
from tuppence.storage import Entry, RemoteStore, Store, is_remote, join, local_path, open_store, stage

_BLOCK_BYTES = 8 * 2**20


def merge(place: str | Path) -> PrepareSummary:
    """Merges the parts in a folder, where they stay.

    Local shards are compared with their sha256; of remote ones, which were read back when they were sent, only the
    sizes.

    Args:
        place: a local folder or a location in S3. Its sub-folders that are parts are merged.

    Raises:
        InputError: a part is missing, twice there, or of another corpus, tokenizer or setting; or a split has no text.
        CorruptFileError: a file of a part is missing or damaged.
    """
    place = str(place)
    store = open_store(place)
    if not is_remote(place) and not local_path(place).is_dir():
        raise InputError(f"{place} is no folder", "name the folder of the parts")
    entries = {entry.name: entry for entry in store.list()}
    parts = complete(list(parts_in(store, place, entries)), place)
    verify_shards(parts, store, place, entries)
    with _locked(place):
        index = _merged(parts, store, place)
        _copy_tokenizer(parts[0], store, place, entries)
        _write_index(index, store, place)
    return summary_of(place, index, 0, 0.0)


def merge_into(parts: Sequence[str | Path], out: str | Path) -> PrepareSummary:
    """Links the files of parts into `out`, or copies them from another disk, and merges them there.

    Args:
        parts: folders of parts; remote ones are copied to this machine first.
        out: a new folder, or the unfinished or finished result of the same parts.

    Raises:
        InputError: as for `merge`, or `out` has other content.
        CorruptFileError: a file of a part is missing or damaged.
    """
    out = local_path(out)
    found = complete([read_part(stage(part)) for part in parts], ", ".join(map(str, parts)))
    names = {f"part-{part.info.number}": part for part in found}
    _refuse_other_content(out, names)
    with explain_disk_errors(out):
        for name, part in names.items():
            source = Path(part.folder)
            if (out / name).exists() and source.samefile(out / name):
                continue
            tokenizer = [f"tokenizer/{path.name}" for path in sorted((source / "tokenizer").iterdir())]
            for file in [*part.files, *tokenizer, INDEX_NAME]:
                _link(source / file, out / name / file)
    return merge(out)


def _merged(parts: Sequence[PartFolder], store: Store, place: str) -> ShardIndex:
    """Writes the positions of the documents, and returns the index of the whole."""
    first = parts[0]
    splits = {}
    for split in ("train", "val"):
        infos = [part.index.splits[split] for part in parts if split in part.index.splits]
        if infos:
            name, sha256 = _write_offsets(split, parts, store, place)
            tokens, size, documents = (
                sum(getattr(one, key) for one in infos) for key in ("tokens", "bytes", "documents")
            )
            splits[split] = SplitInfo(tokens, size, documents, name, sha256)
    shards = [
        replace(shard, file=f"{part.folder}/{shard.file}")
        for split in ("train", "val")
        for part in parts
        for shard in part.index.shards
        if shard.split == split
    ]
    index = replace(
        first.index,
        request=first.info.corpus,
        duplicates=sum(part.index.duplicates for part in parts),
        skipped_rows=sum(part.index.skipped_rows for part in parts),
        splits=splits,
        shards=shards,
        part=None,
    )
    check_splits(index, first.info.splits.split())
    return index


def _write_offsets(split: str, parts: Sequence[PartFolder], store: Store, place: str) -> tuple[str, str]:
    """Writes the first token of every document of all parts; returns the file's name and sha256."""
    name, digest, tokens = f"documents-{split}.bin", hashlib.sha256(), 0
    with _new_file(store, place, name) as out:
        for part in parts:
            info = part.index.splits.get(split)
            if info is None:
                continue
            file, own, count = f"{part.folder}/{info.document_offsets}", hashlib.sha256(), 0
            with store.open(file) as stream:
                while block := _read_block(stream):
                    own.update(block)
                    moved = (np.frombuffer(block, "<u8") + np.uint64(tokens)).astype("<u8").tobytes()
                    digest.update(moved)
                    out.write(moved)
                    count += len(block) // 8
            if count != info.documents:
                raise CorruptFileError(f"{join(place, file)} has {count:,} of {info.documents:,} documents", AGAIN)
            require_sha256(own.hexdigest(), info.document_offsets_sha256, join(place, file))
            tokens += info.tokens
    return name, digest.hexdigest()


def _read_block(stream: Any) -> bytes:
    """Reads whole numbers of 8 bytes; at the end of a truncated file, what is left of one is dropped."""
    block: bytes = stream.read(_BLOCK_BYTES)
    while len(block) % 8 and (more := stream.read(8 - len(block) % 8)):
        block += more
    return block[: len(block) - len(block) % 8]


@contextlib.contextmanager
def _new_file(store: Store, place: str, name: str) -> Iterator[IO[bytes]]:
    """A file of the result: complete or absent."""
    if not isinstance(store, RemoteStore):
        with atomic_file(local_path(place) / name) as out:
            yield out
        return
    with tempfile.TemporaryDirectory() as folder:
        path = Path(folder) / "file"
        with path.open("xb") as out:
            yield out
        store.upload(path, name)


def _copy_tokenizer(part: PartFolder, store: Store, place: str, entries: dict[str, Entry]) -> None:
    inside = f"{part.folder}/tokenizer/"
    for entry in entries.values():
        if entry.name.startswith(inside):
            with (
                store.open(entry.name) as stream,
                _new_file(store, place, entry.name.removeprefix(f"{part.folder}/")) as out,
            ):
                shutil.copyfileobj(stream, out)


def _write_index(index: ShardIndex, store: Store, place: str) -> None:
    if isinstance(store, RemoteStore):
        store.put(INDEX_NAME, encode_json(index.to_json(), indent=2) + b"\n")
    else:
        write_json(local_path(place) / INDEX_NAME, index.to_json())


@contextlib.contextmanager
def _locked(place: str) -> Iterator[None]:
    """Locks a local folder. In S3 all machines that merge write the same bytes."""
    if is_remote(place):
        yield
        return
    release = lock_folder(local_path(place), "writing")
    try:
        yield
    finally:
        release()


def _refuse_other_content(out: Path, names: dict[str, PartFolder]) -> None:
    """Raises InputError if a folder has something that is not of these parts."""
    if not out.exists():
        return
    if not out.is_dir():
        raise InputError(f"{out} is a file, not a folder", "choose another --out")
    known = {*names, INDEX_NAME, "documents-train.bin", "documents-val.bin", "tokenizer"}
    strangers = sorted(path.name for path in out.iterdir() if path.name not in known and not path.name.startswith("."))
    if strangers:
        raise InputError(f"{out} holds other files ({strangers[0]})", "choose a new folder for --out")
    corpus = next(iter(names.values())).info.corpus
    if (out / INDEX_NAME).exists() and read_index(out).request != corpus:
        raise InputError(
            f"{out} holds shards of other inputs or settings", "choose another --out, or remove the folder"
        )
    for name in names:
        if (out / name / INDEX_NAME).exists():
            part = read_index(out / name).part
            if part is None or part.corpus != corpus:
                raise InputError(f"{out / name} is a part of another corpus", "choose a new folder for --out")


def _link(source: Path, target: Path) -> None:
    """Makes `target` a hard link of `source`, or a copy if the disks differ. Complete or absent."""
    if target.exists() and target.samefile(source):
        return
    target.parent.mkdir(parents=True, exist_ok=True)
    target.unlink(missing_ok=True)
    try:
        os.link(source.resolve(), target)
    except OSError:  # another disk, or one without hard links
        with source.open("rb") as stream, atomic_file(target) as out:
            shutil.copyfileobj(stream, out, 2**20)
