from __future__ import annotations

import gzip
import json
import unicodedata
from pathlib import Path

import pytest
import regex
import tiktoken
from hypothesis import example, given, settings
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.tokenizer.patterns import (
    GPT2,
    GPT4,
    GPT4_2023,
    PATTERNS,
    SplitPattern,
    find_pattern,
    safe_cut,
    split_safely,
    stream_safely,
    without_surrogates,
)

BYTES = {bytes([value]): value for value in range(256)}
# characters of all classes in the patterns, so that borders between them are frequent
TRICKY = st.text(alphabet="ab'sſT1² \n\r\t\u00a0\u0085\u3000.!-é\u0301字。\U0001f642", max_size=40)
ANY_TEXT = st.one_of(TRICKY, st.text(st.characters(exclude_categories=["Cs", "Cn"]), max_size=40))
BOTH = pytest.mark.parametrize("pattern", PATTERNS.values(), ids=list(PATTERNS))


@BOTH
@settings(max_examples=300)
@given(text=ANY_TEXT)
@example("a" + " " * 70 + "b")
def test_both_spellings_of_a_pattern_give_the_same_words(pattern: SplitPattern, text: str) -> None:
    words = pattern.split(text)
    assert "".join(words) == text
    assert words == regex.findall(pattern.published, text)


@BOTH
@settings(max_examples=500)
@given(text=ANY_TEXT, data=st.data())
def test_a_safe_cut_changes_no_word(pattern: SplitPattern, text: str, data: st.DataObject) -> None:
    limit = data.draw(st.integers(0, len(text) + 2))
    cut = safe_cut(text, 0, limit)
    if cut is not None:
        assert 0 < cut <= limit
        assert pattern.split(text[:cut]) + pattern.split(text[cut:]) == pattern.split(text)


@given(st.text(alphabet="ab1 .\n", max_size=30), st.integers(0, 30))
def test_no_later_safe_cut_is_missed(text: str, limit: int) -> None:
    safe = [
        place
        for place in range(1, min(limit, len(text) - 1) + 1)
        if (text[place - 1].isalpha() and not text[place].isalpha())
        or (text[place - 1].isdigit() and not text[place].isdigit())
        or (not text[place - 1].isspace() and text[place] == " ")
    ]
    assert safe_cut(text, 0, limit) == (safe[-1] if safe else None)


@BOTH
@given(text=ANY_TEXT, size=st.integers(2, 50))
def test_pieces_are_bounded_and_join_to_the_text(pattern: SplitPattern, text: str, size: int) -> None:
    pieces = list(split_safely(text, size))
    assert "".join(pieces) == text
    assert all(0 < len(piece) <= size for piece in pieces)
    if all(len(piece) < size for piece in pieces[:-1]):  # no cut was forced
        assert [word for piece in pieces for word in pattern.split(piece)] == pattern.split(text)


@given(st.lists(TRICKY, max_size=8), st.integers(2, 20))
def test_pieces_do_not_depend_on_the_blocks_of_the_text(blocks: list[str], size: int) -> None:
    assert list(stream_safely(blocks, size)) == list(split_safely("".join(blocks), size))


def test_a_text_without_safe_cuts_is_cut_at_the_bound() -> None:
    assert [len(piece) for piece in split_safely("x" * 1_000_001, 1000)] == [1000] * 1000 + [1]


def test_pieces_of_one_character_are_refused() -> None:
    with pytest.raises(ValueError, match="cannot be cut safely"):
        list(split_safely("abc", 1))


def test_an_unknown_pattern_is_refused_with_the_known_ones() -> None:
    with pytest.raises(InputError, match="no split pattern 'o200k'") as caught:
        find_pattern("o200k")
    assert caught.value.hint == "choose one of gpt2, gpt4, gpt4-2023"


@pytest.mark.parametrize("category", [r"\p{L}", r"\p{N}", r"\s"])
def test_python_and_tiktoken_agree_on_every_character_of_pythons_own_unicode(category: str) -> None:
    # tiktoken encodes only characters that the pattern matches
    characters = [chr(code) for code in range(0x110000) if not 0xD800 <= code < 0xE000]
    python = set(regex.findall(category, "".join(characters)))
    for start in range(0, len(characters), 2**16):
        part = characters[start : start + 2**16]
        engine = tiktoken.Encoding("c", pat_str=category, mergeable_ranks=BYTES, special_tokens={})
        found = bytes(engine.encode_ordinary("".join(part))).decode()
        differing = set(found) ^ (python & set(part))
        assert not [character for character in differing if unicodedata.category(character) != "Cn"]


@BOTH
def test_both_spellings_give_the_same_words_in_387_languages(pattern: SplitPattern, shared_data: Path) -> None:
    with gzip.open(shared_data / "tokenizer" / "udhr-multilingual.jsonl.gz", "rt", encoding="utf-8") as rows:
        texts = [json.loads(row)["text"] for row in rows]
    assert len(texts) == 387
    published = regex.compile(pattern.published)
    for text in texts:
        assert pattern.split(text[:3000]) == published.findall(text[:3000])


@given(st.text(max_size=10))  # whose default alphabet has no surrogates
def test_text_without_surrogates_is_unchanged(text: str) -> None:
    assert without_surrogates(text) == text


def test_lone_surrogates_become_the_replacement_character_as_in_tiktoken() -> None:
    broken = "a\ud83d b\ude42 \ud83d\ude42"
    engine = tiktoken.Encoding("bytes", pat_str=GPT2.expression, mergeable_ranks=BYTES, special_tokens={})
    assert without_surrogates(broken) == "a\ufffd b\ufffd 🙂"
    assert bytes(engine.encode_ordinary(broken)).decode() == without_surrogates(broken)


def test_gpt2_and_gpt4_differ_in_numbers_contractions_and_line_ends() -> None:
    assert GPT2.split("12345 I'LL!\n") == ["12345", " I", "'", "LL", "!", "\n"]
    assert GPT4.split("12345 I'LL!\n") == ["123", "45", " I", "'LL", "!\n"]


def test_gpt4_and_gpt4_2023_differ_in_white_space_at_the_end_of_a_text() -> None:
    assert GPT4.split("end\n  ") == ["end", "\n  "]
    assert GPT4_2023.split("end\n  ") == ["end", "\n", "  "]
    assert GPT4.split("end\n  x") == GPT4_2023.split("end\n  x") == ["end", "\n", " ", " x"]
