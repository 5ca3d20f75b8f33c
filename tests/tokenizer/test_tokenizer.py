from __future__ import annotations

import pickle
import threading
from pathlib import Path

import numpy as np
import pytest
import torch
from hypothesis import given, settings
from hypothesis import strategies as st

from tuppence.core.errors import InputError
from tuppence.tokenizer import Tokenizer, reference, train_tokenizer
from tuppence.tokenizer import tokenizer as tokenizer_module

CHARACTERS = st.characters(exclude_categories=["Cs"])
# without characters that only the newest Unicode has: the engines have different Unicode tables
OLDER_CHARACTERS = st.characters(exclude_categories=["Cs", "Cn"])
TEXT = st.one_of(st.text(alphabet="It's 12 \n\r\tx.é字<|endoftext|>", max_size=60), st.text(CHARACTERS, max_size=60))


def encode_plainly(tokenizer: Tokenizer, text: str) -> list[int]:
    return reference.encode(tokenizer.pattern.split(text), tokenizer.vocabulary.ranks)


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_decoding_gives_every_valid_string_back(trained: Tokenizer, text: str) -> None:
    assert trained.decode(trained.encode(text)) == text
    assert trained.decode(trained.encode(text, allow_special=True)) == text
    assert trained.decode(trained.encode_to_array(text).tolist()) == text


@settings(max_examples=300, deadline=None)
@given(text=st.one_of(st.text(alphabet="It's 12 \n\r\tx.é字", max_size=60), st.text(OLDER_CHARACTERS, max_size=40)))
def test_the_fast_path_gives_the_ids_of_the_reference(trained: Tokenizer, text: str) -> None:
    ids = encode_plainly(trained, text)
    assert trained.encode(text) == ids
    assert trained.encode_to_array(text).tolist() == ids
    assert trained.encode_batch([text, "", text], threads=2) == [ids, [], ids]


@pytest.fixture(scope="module")
def novels(shared_data: Path) -> str:
    return (shared_data / "text" / "english-novels" / "val.txt").read_text(encoding="utf-8")[:1_000_000]


@pytest.fixture(scope="module", params=["gpt2", "gpt4"])
def of_novels(request: pytest.FixtureRequest, novels: str) -> Tokenizer:
    return train_tokenizer([novels], 4096, pattern=request.param)


def test_both_paths_agree_on_novels(of_novels: Tokenizer, novels: str) -> None:
    text = novels[500_000:650_000]
    ids = of_novels.encode(text)
    assert ids == encode_plainly(of_novels, text)
    assert of_novels.encode_to_array(text).tolist() == ids
    assert len(ids) < len(text) / 3.5


def test_both_paths_agree_on_387_languages(of_novels: Tokenizer, languages: dict[str, str]) -> None:
    assert len(languages) == 387
    texts = [text[:400] for text in languages.values()]
    fast = of_novels.encode_batch(texts)
    for language, text, ids in zip(languages, texts, fast, strict=True):
        assert ids == encode_plainly(of_novels, text), language
        assert of_novels.decode(ids) == text, language


@given(ids=st.lists(st.integers(0, 499), max_size=30))
def test_any_ids_decode_to_text(trained: Tokenizer, ids: list[int]) -> None:
    text = trained.decode(ids)
    text.encode()
    assert trained.decode_bytes(ids).decode("utf-8", "replace") == text
    assert trained.decode_bytes(ids) == b"".join(trained.decode_bytes([identity]) for identity in ids)


@pytest.mark.parametrize("bad", [-1, 500, 2**40])
def test_an_unknown_id_is_refused(trained: Tokenizer, bad: int) -> None:
    with pytest.raises(InputError, match=f"{bad} is not an id of this tokenizer, which has 500"):
        trained.decode([72, bad])


def test_arrays_and_tensors_decode(trained: Tokenizer) -> None:
    ids = trained.encode("all's well")
    assert trained.decode(np.array(ids, dtype=np.uint16)) == "all's well"  # type: ignore[arg-type]
    assert trained.decode(torch.tensor(ids)) == "all's well"  # type: ignore[arg-type]


def test_special_tokens_are_plain_text_unless_allowed(trained: Tokenizer) -> None:
    text = "a<|endoftext|>b<|user|>"
    plain = trained.encode(text)
    assert not set(plain) & set(trained.special_tokens.values())
    assert trained.encode_batch([text]) == [plain]
    assert trained.encode_to_array(text).tolist() == plain
    assert trained.encode(text, allow_special=True) == [97, trained.end_of_text, 98, trained.special_tokens["<|user|>"]]
    assert trained.decode(plain) == text


def test_ids_take_two_bytes_if_they_fit_and_four_otherwise() -> None:
    small = train_tokenizer(["abc"], 257)
    assert small.encode_to_array("abc").dtype == np.uint16
    specials = tuple(f"<|{row}|>" for row in range(2**16 - 256))
    assert train_tokenizer(["a"], 2**16, special_tokens=specials).encode_to_array("a").dtype == np.uint16
    assert (
        train_tokenizer(["a"], 2**16 + 1, special_tokens=(*specials, "<|x|>")).encode_to_array("a").dtype == np.uint32
    )


def test_the_empty_text_has_no_ids(trained: Tokenizer) -> None:
    assert trained.encode("") == []
    assert trained.encode_to_array("").shape == (0,)
    assert trained.decode([]) == ""
    assert trained.encode_batch([]) == []


def test_lone_surrogates_become_the_replacement_character_on_every_path(trained: Tokenizer) -> None:
    broken, replaced = "a\ud83d b", "a\ufffd b"
    ids = trained.encode(replaced)
    assert trained.encode(broken) == trained.encode(broken, allow_special=True) == ids
    assert trained.encode_to_array(broken).tolist() == ids
    assert trained.encode_batch([broken]) == [ids]


@pytest.mark.parametrize("space", [" ", "\t", "\u3000"])
def test_a_million_white_spaces_are_encoded(space: str) -> None:
    tokenizer = train_tokenizer(["a"], 257)
    text = "x<|endoftext|>" + space * 1_100_000 + "a"
    assert tokenizer.decode(tokenizer.encode(text)) == text
    assert tokenizer.encode_batch([text, "a"]) == [tokenizer.encode(text), [97]]
    assert tokenizer.encode_to_array(text).tolist() == tokenizer.encode(text)
    assert tokenizer.encode(text, allow_special=True)[1] == tokenizer.end_of_text


def test_the_slow_path_of_long_white_space_gives_the_ids_of_the_fast_one(
    trained: Tokenizer, monkeypatch: pytest.MonkeyPatch
) -> None:
    text = "It's  well;\n\n" + " " * 200 + "naïve<|user|> <|endoftext|>" + "\n" * 150 + " x\r\n\t"
    fast = trained.encode(text), trained.encode(text, allow_special=True)
    monkeypatch.setattr(tokenizer_module, "LONG_WHITE_SPACE", 50)
    assert (trained.encode(text), trained.encode(text, allow_special=True)) == fast


@pytest.mark.parametrize("unit", ["a", "1", "!", "\n", "é", "字", "'", "\r\n", " \n"])
def test_a_million_repetitions_are_decoded_to_the_same_text(unit: str) -> None:
    tokenizer = train_tokenizer(["a"], 257, pattern="gpt4")
    text = unit * 1_000_001 + "z"
    assert tokenizer.decode(tokenizer.encode_to_array(text).tolist()) == text


def test_a_saved_tokenizer_is_the_same_when_loaded(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path / "tok")
    for path in (tmp_path / "tok", tmp_path / "tok" / "tokenizer.json", str(tmp_path / "tok")):
        loaded = Tokenizer.load(path)
        assert loaded.fingerprint == trained.fingerprint
        assert loaded.special_tokens == trained.special_tokens
        assert loaded.vocabulary == trained.vocabulary


def test_a_pickled_tokenizer_gives_the_same_ids(trained: Tokenizer) -> None:
    trained.encode("warm")
    copy = pickle.loads(pickle.dumps(trained))  # noqa: S301  our own bytes
    assert copy.encode("all's well") == trained.encode("all's well")
    assert len(pickle.dumps(copy)) < 100_000


def test_with_end_of_text_names_a_special_token_or_adds_one() -> None:
    tokenizer = train_tokenizer(["abc"], 258, special_tokens=("<s>", "</s>"))
    named = tokenizer.with_end_of_text("</s>")
    assert (named.end_of_text, named.vocab_size, named.stop_ids) == (257, 258, [257])
    added = tokenizer.with_end_of_text("<|endoftext|>")
    assert (added.end_of_text, added.vocab_size) == (258, 259)
    for name in ("", "a"):
        with pytest.raises(InputError):
            tokenizer.with_end_of_text(name)


def test_without_an_end_of_text_token_asking_for_it_is_refused() -> None:
    with pytest.raises(InputError, match=r"has no <\|endoftext\|> token"):
        _ = train_tokenizer(["abc"], 256, special_tokens=()).end_of_text


def test_threads_share_a_tokenizer(trained: Tokenizer) -> None:
    texts = [f"All's {row} well" for row in range(50)]
    expected = [trained.encode(text) for text in texts]
    found: list[list[list[int]]] = []
    threads = [
        threading.Thread(target=lambda: found.append([trained.encode(text) for text in texts])) for _ in range(4)
    ]
    for thread in threads:
        thread.start()
    for thread in threads:
        thread.join()
    assert found == [expected] * 4


def test_the_repr_has_size_and_pattern(trained: Tokenizer) -> None:
    assert repr(trained).startswith(f"Tokenizer(500 tokens, {trained.pattern.name}, ")
