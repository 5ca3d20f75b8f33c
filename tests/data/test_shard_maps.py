from __future__ import annotations

from pathlib import Path

import numpy as np

from tuppence.data.shard_maps import MOST_OPEN, ShardMaps
from tuppence.data.shards import TokenShards


def open_files() -> int:
    return len(list(Path("/proc/self/fd").iterdir())) if Path("/proc/self/fd").exists() else 0


def test_few_shards_are_open_at_a_time(tmp_path: Path) -> None:
    paths = [tmp_path / str(number) for number in range(3 * MOST_OPEN)]
    for number, path in enumerate(paths):
        path.write_bytes(np.array([number, 7], "<u2").tobytes())
    before, maps = open_files(), ShardMaps(paths, np.dtype("<u2"))
    assert open_files() == before
    for number in [*range(len(paths)), 0, 5, len(paths) - 1]:
        assert maps[number].tolist() == [number, 7]
    assert open_files() <= before + MOST_OPEN


def test_a_window_over_more_shards_than_are_open_is_whole(make_shards) -> None:  # type: ignore[no-untyped-def]
    documents = [[number % 200] * 3 for number in range(2 * MOST_OPEN)]
    shards = TokenShards.open(make_shards(documents, shard_tokens=1))
    assert len(shards.index.shards) > MOST_OPEN
    wanted = [token for document in documents for token in [*document, 256]]
    assert shards.window(0, len(shards)).tolist() == wanted
