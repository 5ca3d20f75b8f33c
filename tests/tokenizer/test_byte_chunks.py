"""Chunks against the split patterns: a chunk contains whole words only."""

from __future__ import annotations

from collections import Counter
from itertools import pairwise

from hypothesis import given
from hypothesis import strategies as st

from tuppence.tokenizer.byte_chunks import SEPARATOR, count_chunks, find_cuts
from tuppence.tokenizer.patterns import PATTERNS

TEXT = st.one_of(
    st.text(alphabet="ab 1\n\r\t,.'\u00a0\u2003\u3000é字\u2019\0", max_size=60),
    st.text(st.characters(exclude_categories=["Cs"]), max_size=40),
)


@given(TEXT)
def test_chunks_end_where_words_end_and_join_to_the_block(text: str) -> None:
    block = text.encode()
    bounds = find_cuts(block).tolist()
    chunks = [block[start:end].decode() for start, end in pairwise(bounds)]
    assert "".join(chunks) == text
    for pattern in PATTERNS.values():
        assert [word for chunk in chunks for word in pattern.split(chunk)] == pattern.split(text)


@given(st.lists(TEXT, max_size=4))
def test_equal_chunks_are_counted_together_and_separators_not_at_all(texts: list[str]) -> None:
    block = SEPARATOR.join(text.encode() for text in texts)
    chunks = [block[start:end] for start, end in pairwise(find_cuts(block).tolist())]
    assert count_chunks(block) == Counter(chunk for chunk in chunks if chunk.strip(SEPARATOR))
