"""Turns documents into token shards: in parallel, in bounded memory, resumable.

One thread reads, selects and chunks text; `workers` threads encode (tiktoken releases Python's lock); the encoded
chunks are written in order. Everything except the encoding is cheap and a pure function of the request. After a kill,
the same command reads the inputs again from the start, and does not encode what the finished shards contain. The result
equals that of an uninterrupted run, byte for byte.

With a `part`, a machine prepares its share of a corpus; `merge` puts the parts together.
"""

from __future__ import annotations

import contextlib
import re
import shutil
import time
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import TYPE_CHECKING

from tuppence.core.console import counted, note, progress, warn
from tuppence.core.errors import CorruptFileError, InputError
from tuppence.core.files import explain_disk_errors, fsync_folder, write_json
from tuppence.core.locks import lock_folder
from tuppence.data import selection
from tuppence.data.chunks import chunk_pieces, encode_chunks
from tuppence.data.inputs import Inputs, input_names, warn_of_passed_over
from tuppence.data.parts import Part
from tuppence.data.pieces import ReadReport
from tuppence.data.request import SHARD_TOKENS, Request, selected_pieces
from tuppence.data.shards import (
    INDEX_NAME,
    PartInfo,
    ShardIndex,
    ShardInfo,
    SplitInfo,
    TokenShards,
    dtype_of,
    read_index,
    tokenizer_folder,
)
from tuppence.data.sources import total_bytes
from tuppence.data.writer import STATE_NAME, Progress, ShardWriter, write_document_offsets
from tuppence.storage import output_path
from tuppence.tokenizer.trainer import usable_cores

if TYPE_CHECKING:
    from tuppence.tokenizer import Tokenizer

_NAMES = rf"(?:(?:train|val)-\d{{5,}}\.bin|documents-(?:train|val)\.bin|{STATE_NAME}|{INDEX_NAME})"
_OURS = re.compile(rf"{_NAMES}|\.{_NAMES}\.\d+\.tmp")
"""The files that a finished or killed preparation leaves in its folder. No other file is removed there."""


@dataclass(frozen=True)
class PrepareSummary:
    """The result of `prepare`.

    Attributes:
        out: the shard folder.
        splits: for each split, the numbers of tokens, bytes of UTF-8 text, and documents.
        duplicates: number of documents that were dropped as exact copies.
        skipped_rows: number of bad rows that were left out.
        resumed_shards: number of shards that an earlier, killed run finished.
        seconds: duration of this run; 0 if nothing was left to do.
    """

    out: str
    vocab_size: int
    tokenizer_sha256: str
    splits: dict[str, dict[str, int]]
    shards: int
    duplicates: int
    skipped_rows: int
    resumed_shards: int
    seconds: float


def prepare(
    inputs: Inputs,
    tokenizer: Tokenizer,
    out: str | Path,
    *,
    val_inputs: Inputs = (),
    val_fraction: float = 0.0,
    deduplicate: bool = False,
    skip_bad_rows: bool = False,
    text_key: str = "text",
    workers: int | None = None,
    shard_tokens: int = SHARD_TOKENS,
    seed: int = 0,
    part: Part | None = None,
) -> PrepareSummary:
    """Tokenizes documents into a shard folder, or finishes the folder of a killed run with the same request.

    Args:
        inputs: files, folders and globs (see `sources.iter_pieces`).
        tokenizer: encodes the documents; a copy is kept in the folder.
        out: the shard folder. It must be new, unfinished, or the finished result of the same request.
        val_inputs: held-out files for the "val" split. With `deduplicate` they are read first, so that a document in
            both is dropped from training.
        val_fraction: share of the documents for "val", chosen by a hash of their text. A single document is cut
            instead: its end is "val".
        deduplicate: drop exact copies of documents.
        skip_bad_rows: leave out rows without usable text instead of refusing them.
        text_key: key or column of a row's text.
        workers: number of threads that encode; one per core by default.
        shard_tokens: a shard is closed once it contains this number of tokens.
        seed: seed of the hash that `val_fraction` uses.
        part: prepare only this part of the corpus, which may have no text. `out` is then an input of `merge`.

    Raises:
        InputError: an input cannot be used, `out` has other content, or a split has no text.
    """
    request = Request(
        input_names(inputs),
        input_names(val_inputs),
        val_fraction,
        deduplicate,
        skip_bad_rows,
        text_key,
        shard_tokens,
        seed,
        part,
    )
    request.check()
    request.warn_of_leaks()
    started, out = time.monotonic(), output_path(out)
    digest = request.digest(tokenizer)
    done = _already_prepared(out, digest, tokenizer)
    if done is not None:
        return done
    warn_of_passed_over([*request.val_inputs, *request.inputs])
    with _locked_or_removed(out):
        state = _resume(out, digest, tokenizer)
        resumed = len(state.finished)
        report, deduplicator = ReadReport(), selection.Deduplicator(out)
        _write_shards(request, tokenizer, out, state, report, deduplicator, workers or usable_cores())
        index = _index_of(out, digest, tokenizer, state, report, deduplicator, _part_info(request, tokenizer))
        if part is None:
            check_splits(index, request.splits)
        write_json(out / INDEX_NAME, index.to_json())
        state.path.unlink()
    report.warn()
    return summary_of(out, index, resumed, time.monotonic() - started)


def _already_prepared(out: Path, digest: str, tokenizer: Tokenizer) -> PrepareSummary | None:
    """Returns the summary of a finished folder of the same request; None for a new or unfinished folder."""
    if not out.exists():
        return None
    if not out.is_dir():
        raise InputError(f"{out} is a file, not a folder", "choose another --out")
    if not (out / INDEX_NAME).exists():
        ours = {"tokenizer"} if (out / STATE_NAME).exists() else set()
        strangers = [
            path.name
            for path in out.iterdir()
            if not (_OURS.fullmatch(path.name) or path.name in ours or _hidden(path))
        ]
        if strangers:
            raise InputError(f"{out} holds other files ({strangers[0]})", "choose a new folder for --out")
        return None
    index = read_index(out)
    if index.request == digest:
        try:
            for split in index.splits:
                TokenShards.open(out, split).document_offsets  # noqa: B018  its file is read and checked here
        except CorruptFileError as error:
            warn(f"{error.message}: preparing {out} again")
            (out / INDEX_NAME).unlink()
            return None
        note(f"{out} is prepared already, nothing to do")
        return summary_of(out, index, len(index.shards), 0.0)
    if index.tokenizer_sha256 != tokenizer.fingerprint:
        raise InputError(f"{out} holds shards of another tokenizer", "choose another --out, or remove the folder")
    raise InputError(f"{out} holds shards of other inputs or settings", "choose another --out, or remove the folder")


def _hidden(path: Path) -> bool:
    return path.name.startswith(".")


@contextlib.contextmanager
def _locked_or_removed(out: Path) -> Iterator[None]:
    """Locks `out`. If the inputs are refused, removes what was written there, unless it held something before.

    The files would be of no use later: with corrected inputs, the request is another one.
    """
    new = [folder for folder in (out, *out.parents) if not folder.exists()]
    try:
        with _locked(out):
            was_empty = all(map(_hidden, out.iterdir()))  # under the lock: another command may write here
            try:
                yield
            except InputError:
                if was_empty:
                    _remove_unfinished(out)
                raise
    except InputError:
        with contextlib.suppress(OSError):  # a folder that is not empty stays
            for folder in new:
                folder.rmdir()
        raise


def _remove_unfinished(out: Path) -> None:
    """Removes shards, state and tokenizer of an unfinished preparation."""
    with contextlib.suppress(OSError):
        for path in out.iterdir():
            if _OURS.fullmatch(path.name):
                path.unlink()
    shutil.rmtree(tokenizer_folder(out), ignore_errors=True)


@contextlib.contextmanager
def _locked(out: Path) -> Iterator[None]:
    """Locks the folder against a second process."""
    with explain_disk_errors(out):
        out.mkdir(parents=True, exist_ok=True)
    release = lock_folder(out, "writing")
    try:
        yield
    finally:
        release()


def _resume(out: Path, digest: str, tokenizer: Tokenizer) -> Progress:
    """Returns the finished shards, and removes the other files of an earlier run."""
    state = Progress(out, digest, dtype_of(tokenizer.vocab_size))
    keep = {STATE_NAME, *(shard.info.file for shard in state.finished)}  # without the state file no run could resume
    for path in out.iterdir():
        if _OURS.fullmatch(path.name) and path.name not in keep:
            path.unlink()
    if state.finished:
        note(f"going on after {counted(len(state.finished), 'finished shard')}")
    state.save()
    tokenizer.save(tokenizer_folder(out))
    fsync_folder(out)
    return state


def _write_shards(
    request: Request,
    tokenizer: Tokenizer,
    out: Path,
    state: Progress,
    report: ReadReport,
    deduplicator: selection.Deduplicator,
    workers: int,
) -> None:
    """Reads, selects, groups into chunks, encodes in threads, and writes."""
    total = sum(total_bytes(inputs, request.part) for inputs in (request.val_inputs, request.inputs) if inputs)
    with progress("bytes") as bar, contextlib.ExitStack() as stack:
        task = bar.add_task("encoding", total=total)
        pieces = selected_pieces(request, report, deduplicator, lambda size: bar.advance(task, size))
        chunks = chunk_pieces(pieces, {split: _chunks_done(state, split) for split in ("train", "val")})
        writers: dict[str, ShardWriter] = {}
        dtype = dtype_of(tokenizer.vocab_size)
        for chunk in encode_chunks(chunks, tokenizer, workers):
            if chunk.split not in writers:
                writer = ShardWriter(out, chunk.split, dtype, request.shard_tokens, state)
                writers[chunk.split] = stack.enter_context(writer)
            writers[chunk.split].add(chunk)


def _chunks_done(state: Progress, split: str) -> int:
    return sum(shard.chunks for shard in state.of(split))


def _index_of(
    out: Path,
    digest: str,
    tokenizer: Tokenizer,
    state: Progress,
    report: ReadReport,
    deduplicator: selection.Deduplicator,
    part: PartInfo | None,
) -> ShardIndex:
    dtype = dtype_of(tokenizer.vocab_size)
    splits, shards = {}, []
    for split in ("train", "val"):
        infos = [shard.info for shard in state.of(split)]
        if not infos:
            continue
        offsets, sha256 = write_document_offsets(out, split, infos, dtype, tokenizer.end_of_text)
        splits[split] = SplitInfo(
            _sum(infos, "tokens"), _sum(infos, "bytes"), _sum(infos, "documents"), offsets, sha256
        )
        shards += infos
    return ShardIndex(
        tokenizer_sha256=tokenizer.fingerprint,
        vocab_size=tokenizer.vocab_size,
        end_of_text=tokenizer.end_of_text,
        dtype=dtype,
        request=digest,
        duplicates=deduplicator.dropped,
        skipped_rows=report.skipped_rows,
        splits=splits,
        shards=shards,
        part=part,
    )


def _part_info(request: Request, tokenizer: Tokenizer) -> PartInfo | None:
    if request.part is None:
        return None
    corpus = request.whole.digest(tokenizer)
    return PartInfo(request.part.number, request.part.of, corpus, " ".join(request.splits))


def _sum(infos: list[ShardInfo], name: str) -> int:
    return sum(getattr(info, name) for info in infos)


def check_splits(index: ShardIndex, wanted: Sequence[str]) -> None:
    """Raises InputError if a requested split has no text."""
    for split in wanted:
        if split not in index.splits or index.splits[split].bytes == 0:
            documents = sum(other.documents for other in index.splits.values())
            raise InputError(
                f"no text is left for the '{split}' split of {documents:,} documents",
                "hold out a file with --val FILE, or choose another --val-fraction or --seed",
            )


def summary_of(out: str | Path, index: ShardIndex, resumed: int, seconds: float) -> PrepareSummary:
    """Returns the counts of a shard folder."""
    return PrepareSummary(
        out=str(out),
        vocab_size=index.vocab_size,
        tokenizer_sha256=index.tokenizer_sha256,
        splits={
            name: {"tokens": split.tokens, "bytes": split.bytes, "documents": split.documents}
            for name, split in index.splits.items()
        },
        shards=len(index.shards),
        duplicates=index.duplicates,
        skipped_rows=index.skipped_rows,
        resumed_shards=resumed,
        seconds=seconds,
    )
