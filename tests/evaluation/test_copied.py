"""What is called copied stands in the data, checked against a search that compares every place with every other."""

from __future__ import annotations

import numpy as np
import pytest

from tuppence.data.prepare import prepare
from tuppence.data.shards import TokenShards
from tuppence.evaluation import copied as module
from tuppence.evaluation.copied import SHORTEST, Copied, copied
from tuppence.tokenizer import train_tokenizer


@pytest.fixture(scope="module")
def shards(tmp_path_factory: pytest.TempPathFactory) -> TokenShards:
    """About 3,000 tokens of nearly random letters: some runs come twice, most do not."""
    folder = tmp_path_factory.mktemp("copied")
    letters = np.random.default_rng(0).choice(list("aab \n"), size=3_000)
    (folder / "text.txt").write_text("x" + "".join(letters))
    prepare([str(folder / "text.txt")], train_tokenizer(["ab"], 257), folder / "data", workers=1)
    return TokenShards.open(folder / "data")


def slow(ids: list[int], data: list[int]) -> Copied:
    covered, longest = set(), 0
    for start in range(len(ids)):
        for length in range(SHORTEST, len(ids) - start + 1):
            wanted = ids[start : start + length]
            if not any(data[place : place + length] == wanted for place in range(len(data) - length + 1)):
                break
            longest = max(longest, length)
            covered |= set(range(start, start + length))
    return Copied(longest, len(covered) / len(ids) if ids else 0.0, len(data))


@pytest.mark.parametrize("chunk", [2**22, 500, 7])
def test_longest_and_share_equal_those_of_a_brute_force_search(
    shards: TokenShards, monkeypatch: pytest.MonkeyPatch, chunk: int
) -> None:
    monkeypatch.setattr(module, "_CHUNK", chunk)
    data = shards.window(0, len(shards)).tolist()
    random = np.random.default_rng(1)
    texts = [random.choice(data, size=30).tolist() for _ in range(5)]
    texts += [data[490:515], [*data[100:111], 120, *data[40:49]], data[:7], [], data[-9:] + data[:9]]
    found = [copied(ids, shards) for ids in texts]
    assert found == [slow(ids, data) for ids in texts]
    assert found[5].share == 1.0


def test_only_the_first_tokens_of_large_data_are_searched(shards: TokenShards) -> None:
    text = shards.window(2_000, 40).tolist()
    assert copied(text, shards).longest == 40
    assert copied(text, shards, most=1_000).searched == 1_000
    assert copied(text, shards, most=1_000).longest < 40
