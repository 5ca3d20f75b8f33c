from __future__ import annotations

import os
import signal
import subprocess
import sys
import time
from collections import Counter
from collections.abc import Iterator
from pathlib import Path

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from tuppence.core.errors import TuppenceError
from tuppence.tokenizer import counting
from tuppence.tokenizer.counting import count_block, count_words, pack_blocks, prune
from tuppence.tokenizer.patterns import GPT2, PATTERNS, SplitPattern, without_surrogates

TEXT = st.one_of(
    st.text(alphabet="ab 1\n\r\t,.'\u00a0\u2003\u3000é字\u2019\0", max_size=60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)
BOTH = pytest.mark.parametrize("pattern", PATTERNS.values(), ids=list(PATTERNS))


def count_plainly(texts: list[str], pattern: SplitPattern) -> Counter[bytes]:
    return Counter(word.encode() for text in texts for word in pattern.split(without_surrogates(text)))


@BOTH
@settings(max_examples=400)
@given(texts=st.lists(TEXT, max_size=5))
def test_counts_equal_those_of_the_pattern_alone(pattern: SplitPattern, texts: list[str]) -> None:
    assert count_words(texts, pattern) == count_plainly(texts, pattern)


@BOTH
def test_two_workers_give_the_counts_of_the_pattern_alone_for_a_novel(
    pattern: SplitPattern, shared_data: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = (shared_data / "text" / "english-novels" / "val.txt").read_text(encoding="utf-8")[:600_000]
    monkeypatch.setattr(counting, "BLOCK_BYTES", 2**16)
    assert count_words([text], pattern, workers=2) == count_plainly([text], pattern)


@given(st.lists(TEXT, min_size=1, max_size=4))
def test_no_word_crosses_the_documents_of_a_block(texts: list[str]) -> None:
    block = b"".join(pack_blocks([*texts, ""]))
    assert count_block(block, "gpt2") == count_plainly(texts, GPT2)


def test_special_tokens_end_a_document_and_are_not_counted() -> None:
    counts = count_words(["one<|endoftext|> one\n<|end|>one"], GPT2, ["<|end|>", "<|endoftext|>"])
    assert counts == {b"one": 2, b" one": 1, b"\n": 1}


def test_the_longest_special_token_is_found_first() -> None:
    assert count_words(["a<<x>>b"], GPT2, ["<x>", "<<x>>"]) == {b"a": 1, b"b": 1}


def test_lone_surrogates_are_counted_as_the_replacement_character() -> None:
    assert count_words(["\ud83d"], GPT2) == {"\ufffd".encode(): 1}


def test_long_words_are_counted_in_parts() -> None:
    counts = count_words(["x" * (2 * counting.LONGEST_WORD_BYTES + 5)], GPT2)
    assert counts == {b"x" * counting.LONGEST_WORD_BYTES: 2, b"x" * 5: 1}


def test_progress_adds_up_to_the_bytes_of_the_texts(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BLOCK_BYTES", 100)
    seen: list[int] = []
    count_words(["four legs good, two legs bad " * 20], GPT2, on_bytes=seen.append)
    assert len(seen) == 3
    assert 580 <= sum(seen) <= 600  # separators between blocks' pieces are counted too


@pytest.mark.parametrize("workers", [1, 2])
def test_a_full_table_keeps_the_frequent_words(
    workers: int, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(counting, "BLOCK_BYTES", 2**12)
    texts = [f"often sometimes{row % 3} never{row:05d}x " * 4 for row in range(3000)]
    budget = 300 * counting.size_in_table(b" never00000x")
    table = count_words(texts, GPT2, workers=workers, table_bytes=budget)
    whole = count_words(texts, GPT2)
    assert len(whole) > 3000
    assert sum(map(counting.size_in_table, table)) <= budget
    assert table[b" sometimes"] == whole[b" sometimes"]
    assert table[b" often"] == whole[b" often"]
    assert list(table) == list(count_words(texts, GPT2, table_bytes=budget))
    assert "the table of words was full" in capsys.readouterr().err


def test_pruning_drops_the_rarest_and_of_those_the_latest() -> None:
    table = {b"a": 1, b"b": 3, b"c": 1, b"d": 2}
    each = counting.size_in_table(b"a")
    assert prune(table, 3 * each) == ({b"b": 3, b"d": 2, b"a": 1}, 3 * each)


def die(block: bytes, pattern_name: str) -> dict[bytes, int]:
    os.kill(os.getpid(), signal.SIGKILL)
    return {}


@pytest.mark.timeout(60)
def test_a_killed_worker_is_reported_and_does_not_hang(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(counting, "BLOCK_BYTES", 100)
    monkeypatch.setattr(counting, "count_block", die)
    with pytest.raises(TuppenceError, match="was killed"):
        count_words(["some words " * 100], GPT2, workers=2)


@pytest.mark.timeout(60)
@pytest.mark.skipif(sys.platform != "linux", reason="reads /proc")
def test_workers_end_with_a_parent_that_is_killed() -> None:
    code = (
        "import itertools; from tuppence.tokenizer import counting; from tuppence.tokenizer.patterns import GPT2\n"
        "counting.BLOCK_BYTES = 100\n"
        "counting.count_words(itertools.repeat('some words ' * 100), GPT2, workers=2)"
    )
    parent = subprocess.Popen([sys.executable, "-c", code])
    children = Path(f"/proc/{parent.pid}/task/{parent.pid}/children")
    while len(workers := children.read_text().split()) < 2:
        time.sleep(0.05)
    parent.kill()
    parent.wait()
    while any(alive(worker) for worker in workers):
        time.sleep(0.05)


def alive(process: str) -> bool:
    try:
        return Path(f"/proc/{process}/stat").read_text().rpartition(")")[2].split()[0] != "Z"
    except FileNotFoundError:
        return False


def test_an_error_of_the_input_iterator_is_raised(monkeypatch: pytest.MonkeyPatch) -> None:
    def texts() -> Iterator[str]:
        yield "some words " * 100
        raise OSError("unplugged")

    monkeypatch.setattr(counting, "BLOCK_BYTES", 100)
    with pytest.raises(OSError, match="unplugged"):
        count_words(texts(), GPT2, workers=2)
