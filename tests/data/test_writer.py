"""Shards are complete or absent, and finished shards are recorded."""

from __future__ import annotations

import json
from pathlib import Path

import numpy as np
import pytest

from tuppence.core.files import sha256_file
from tuppence.data.writer import EncodedChunk, Progress, ShardWriter, write_document_offsets

DTYPE = "uint16"


def chunk(*tokens: int) -> EncodedChunk:
    return EncodedChunk("train", np.array(tokens), documents=1, bytes=10 * len(tokens))


def names(folder: Path) -> list[str]:
    return sorted(path.name for path in folder.iterdir())


def test_a_shard_is_closed_between_chunks_once_it_is_full(tmp_path: Path) -> None:
    state = Progress(tmp_path, "request", DTYPE)
    with ShardWriter(tmp_path, "train", DTYPE, 4, state) as writer:
        for tokens in ([1, 2], [3, 4, 5], [6], [7]):
            writer.add(chunk(*tokens))
    finished = [(shard.info.tokens, shard.info.documents, shard.info.bytes, shard.chunks) for shard in state.finished]
    assert finished == [(5, 2, 50, 2), (2, 2, 20, 2)]
    assert np.fromfile(tmp_path / "train-00000.bin", dtype="<u2").tolist() == [1, 2, 3, 4, 5]
    assert np.fromfile(tmp_path / "train-00001.bin", dtype="<u2").tolist() == [6, 7]
    for shard in state.finished:
        assert shard.info.sha256 == sha256_file(tmp_path / shard.info.file)


def test_an_error_leaves_only_finished_shards(tmp_path: Path) -> None:
    state = Progress(tmp_path, "request", DTYPE)

    def break_midway() -> None:
        with ShardWriter(tmp_path, "train", DTYPE, 2, state) as writer:
            writer.add(chunk(1, 2))
            writer.add(chunk(3))
            raise RuntimeError("the reader broke")

    with pytest.raises(RuntimeError, match="the reader broke"):
        break_midway()
    assert names(tmp_path) == ["train-00000.bin", "unfinished.json"]


def test_only_the_same_request_finds_the_finished_shards(tmp_path: Path) -> None:
    state = Progress(tmp_path, "request", DTYPE)
    with ShardWriter(tmp_path, "train", DTYPE, 2, state) as writer:
        writer.add(chunk(1, 2))
    assert Progress(tmp_path, "request", DTYPE).finished == state.finished
    assert Progress(tmp_path, "another", DTYPE).finished == []


def test_shards_after_a_damaged_one_are_written_again(tmp_path: Path) -> None:
    state = Progress(tmp_path, "request", DTYPE)
    with ShardWriter(tmp_path, "train", DTYPE, 2, state) as writer:
        for start in (0, 2, 4):
            writer.add(chunk(start, start + 1))
    (tmp_path / "train-00001.bin").write_bytes(b"xxxx")
    assert [shard.info.file for shard in Progress(tmp_path, "request", DTYPE).finished] == ["train-00000.bin"]


def test_the_state_of_an_earlier_version_is_continued(tmp_path: Path) -> None:
    progress = Progress(tmp_path, "request", "uint16")
    with ShardWriter(tmp_path, "train", "uint16", 2, progress) as writer:
        writer.add(chunk(1, 2))
    state = json.loads(progress.path.read_text())
    state["finished"][0]["packs"] = state["finished"][0].pop("chunks")
    state["finished"][0]["record"] = state["finished"][0].pop("info")
    progress.path.write_text(json.dumps(state))
    assert Progress(tmp_path, "request", "uint16").finished == progress.finished


@pytest.mark.parametrize("content", ["{", "[]", '{"request": "request", "finished": [{"packs": 1}]}'])
def test_a_damaged_state_is_discarded(tmp_path: Path, content: str) -> None:
    (tmp_path / "unfinished.json").write_text(content)
    assert Progress(tmp_path, "request", DTYPE).finished == []


def test_document_offsets_are_found_across_shards(tmp_path: Path) -> None:
    state = Progress(tmp_path, "request", DTYPE)
    with ShardWriter(tmp_path, "train", DTYPE, 3, state) as writer:
        for tokens in ([1, 2, 0], [3, 0], [4, 5, 6], [7, 0]):
            writer.add(EncodedChunk("train", np.array(tokens), documents=tokens.count(0), bytes=0))
    infos = [shard.info for shard in state.finished]
    name, sha256 = write_document_offsets(tmp_path, "train", infos, DTYPE, end_of_text=0)
    assert np.fromfile(tmp_path / name, dtype="<u8").tolist() == [0, 3, 5]
    assert sha256 == sha256_file(tmp_path / name)
