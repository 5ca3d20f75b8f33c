"""Tokenizer files of other projects are read if all readers give the same ids, and refused otherwise."""

from __future__ import annotations

import copy
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from tokenizers import Tokenizer as HuggingFaceTokenizer

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.tokenizer import Tokenizer, huggingface, huggingface_reader, train_tokenizer
from tuppence.tokenizer.folders import read_folder


def test_gpt2s_own_files_give_one_vocabulary(shared_data: Path) -> None:
    folder = shared_data / "tokenizer" / "gpt2"
    whole = read_folder(folder).vocabulary
    parts = huggingface_reader.read_vocab_and_merges(folder / "encoder.json", folder / "vocab.bpe")
    assert whole == parts
    assert whole.size == 50_257
    assert dict(whole.special_tokens) == {"<|endoftext|>": 50_256}


def test_an_older_folder_of_vocab_and_merges_is_read(tmp_path: Path) -> None:
    tokenizer = train_tokenizer(["the cat, the hat " * 9], 270)
    document = huggingface.tokenizer_document(tokenizer.vocabulary)
    (tmp_path / "vocab.json").write_text(json.dumps(document["model"]["vocab"]))
    merges = "#version: 0.2\n" + "\n".join(document["model"]["merges"]) + "\n"
    (tmp_path / "merges.txt").write_text(merges, encoding="utf-8")
    assert Tokenizer.load(tmp_path).fingerprint == tokenizer.fingerprint


def test_special_tokens_can_have_the_first_ids(tmp_path: Path) -> None:
    vocabulary = train_tokenizer(["the cat, the hat " * 9], 270).vocabulary
    document = huggingface.tokenizer_document(vocabulary)
    vocab = {token: (identity + 1) % vocabulary.size for token, identity in document["model"]["vocab"].items()}
    document["model"]["vocab"] = vocab
    document["added_tokens"][0]["id"] = 0
    path = write(tmp_path, document)
    tokenizer, peer = Tokenizer.load(path), HuggingFaceTokenizer.from_file(str(path))
    assert tokenizer.end_of_text == 0
    assert tokenizer.encode("the hat") == peer.encode("the hat").ids
    assert tokenizer.decode(tokenizer.encode("the hat")) == "the hat"


def test_files_that_list_every_pair_of_a_token_are_read(tmp_path: Path) -> None:
    # like files that were converted from ranks; the pair that is never merged is dropped
    vocabulary = train_tokenizer(["aaaaab abab aab " * 9], 268).vocabulary
    document = huggingface.tokenizer_document(vocabulary)
    tokens = set(vocabulary.ranks)
    document["model"]["merges"] = [
        f"{huggingface.byte_alphabet.to_characters(token[:cut])} {huggingface.byte_alphabet.to_characters(token[cut:])}"
        for token in vocabulary.ranks
        for cut in range(1, len(token))
        if token[:cut] in tokens and token[cut:] in tokens
    ]
    assert len(document["model"]["merges"]) > len(vocabulary.merges)
    assert Tokenizer.load(write(tmp_path, document)).fingerprint == vocabulary.fingerprint


def write(folder: Path, document: Any) -> Path:
    path = folder / "tokenizer.json"
    path.write_text(json.dumps(document), encoding="utf-8")
    return path


@pytest.fixture(scope="module")
def sound() -> dict[str, Any]:
    return huggingface.tokenizer_document(train_tokenizer(["the cat, the hat " * 9], 262).vocabulary)


def put(*keys: Any, value: Any) -> Callable[[Any], None]:
    def change(document: Any) -> None:
        for key in keys[:-1]:
            document = document[key]
        document[keys[-1]] = value

    return change


def split_by(expression: str) -> dict[str, Any]:
    split = {"type": "Split", "pattern": {"Regex": expression}, "behavior": "Isolated", "invert": False}
    return {"type": "Sequence", "pretokenizers": [split, {"type": "ByteLevel", "use_regex": False}]}


@pytest.mark.parametrize(
    ("change", "message"),
    [
        (put("model", value=None), "model is missing"),
        (put("model", "type", value="Unigram"), "its model is 'Unigram'"),
        (put("model", "dropout", value=0.1), "model.dropout is 0.1"),
        (put("model", "byte_fallback", value=True), "model.byte_fallback is True"),
        (put("model", "end_of_word_suffix", value="</w>"), "model.end_of_word_suffix is '</w>'"),
        (put("model", "vocab", value=[]), "model.vocab holds no vocabulary"),
        (put("model", "vocab", "!", value="1"), "the id of '!' is '1'"),
        (put("model", "vocab", "!", value=True), "the id of '!' is True"),
        (put("model", "vocab", "!", value=2), "both have the id 2"),
        (put("model", "vocab", "!", value=999), "no token has the id 33, but '\"' has 34"),
        (put("model", "vocab", "zz", value=262), r"the token 'zz' \(id 262\) is neither a byte nor made by a merge"),
        (put("model", "vocab", "字", value=262), "'字' .* is neither a byte"),
        (put("model", "merges", 0, value="a b c"), "model.merges, entry 0: 'a b c' is not a merge of two tokens"),
        (put("model", "merges", 0, value=["a", 1]), "entry 0: .* is not a merge"),
        (put("model", "merges", 0, value="字 b"), "entry 0: .*'字', which represents no byte"),
        (put("model", "merges", value="a b"), "model.merges is missing or malformed"),
        (put("normalizer", value={"type": "NFC"}), r"it has a normalizer \(NFC\)"),
        (put("normalizer", value={"type": "Sequence", "normalizers": [{"type": "NFC"}]}), "it has a normalizer"),
        (put("normalizer", value={"type": "Strip", "strip_left": True, "strip_right": False}), "it has a normalizer"),
        (put("pre_tokenizer", value=None), "its pre_tokenizer ends in None, not ByteLevel"),
        (put("pre_tokenizer", value={"type": "Whitespace"}), "its pre_tokenizer ends in 'Whitespace'"),
        (put("pre_tokenizer", "add_prefix_space", value=True), "puts a space before every text"),
        (put("pre_tokenizer", "use_regex", value=False), "by an unknown pattern"),
        (put("pre_tokenizer", value=split_by("(a+)+$")), "by an unknown pattern"),
        (put("pre_tokenizer", value={"type": "Sequence", "pretokenizers": []}), "ends in None"),
        (put("post_processor", value={"type": "TemplateProcessing", "special_tokens": {"<s>": {}}}), "adds tokens to"),
        (put("added_tokens", 0, "lstrip", value=True), r"the added token '<\|endoftext\|>' has lstrip"),
        (put("added_tokens", 0, "id", value="x"), "id is missing or malformed"),
        (put("added_tokens", 0, "id", value=5), r"has the id 261 and, as an added token, 5"),
        (put("added_tokens", value=[{"id": 1, "content": "a"}] * 2), "the added token 'a' is given twice"),
        (
            put("added_tokens", value=[{"id": 1, "content": "hello", "special": False}]),
            "'hello' is not a special",
        ),
        (put("added_tokens", value=7), "content is missing or malformed"),
    ],
)
def test_unusable_files_are_refused_with_the_reason(
    sound: dict[str, Any], change: Callable[[Any], None], message: str, tmp_path: Path
) -> None:
    document = copy.deepcopy(sound)
    change(document)
    path = write(tmp_path, document)
    with pytest.raises(InputError, match=message) as caught:
        Tokenizer.load(path)
    assert str(path) in caught.value.message
    assert caught.value.hint


@pytest.mark.parametrize("document", [[], 7, "x", None, {}, {"model": {}}, {"model": {"vocab": {}}}])
def test_json_of_another_kind_is_refused(document: Any, tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"tokenizer\.json: "):
        Tokenizer.load(write(tmp_path, document))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_raises_input_error_only(sound: dict[str, Any], data: st.DataObject) -> None:
    document: Any = copy.deepcopy(sound)
    junk = st.one_of(
        st.none(), st.booleans(), st.integers(-2, 400), st.text(max_size=3), st.lists(st.integers(), max_size=2)
    )
    place = document
    for _ in range(data.draw(st.integers(1, 4))):
        keys = list(place) if isinstance(place, dict) else list(range(len(place)))
        key = data.draw(st.sampled_from(keys))
        if isinstance(place[key], dict | list) and place[key]:
            parent, place = place, place[key]
        else:
            parent = place
            break
    parent[key] = data.draw(junk)
    try:
        vocabulary = huggingface_reader.parse_document(document)
    except InputError:
        return
    assert Tokenizer(vocabulary).decode(Tokenizer(vocabulary).encode("the hat")) == "the hat"


@pytest.mark.parametrize(
    "normalizer",
    [
        {"type": "Sequence", "normalizers": []},
        {"type": "Sequence", "normalizers": [{"type": "Strip", "strip_left": False, "strip_right": False}]},
        {"type": "Strip", "strip_left": False, "strip_right": False},
    ],
)
def test_a_normalizer_that_changes_nothing_is_accepted(
    sound: dict[str, Any], normalizer: dict[str, Any], tmp_path: Path
) -> None:
    path = write(tmp_path, sound | {"normalizer": normalizer})
    assert Tokenizer.load(path).encode("the hat") == HuggingFaceTokenizer.from_file(str(path)).encode("the hat").ids


def test_a_git_lfs_pointer_in_the_place_of_a_file_is_named(tmp_path: Path) -> None:
    pointer = "version https://git-lfs.github.com/spec/v1\noid sha256:0\nsize 1\n"
    for names in (["tokenizer.json"], ["vocab.json", "merges.txt"]):
        folder = tmp_path / names[0]
        folder.mkdir()
        for name in names:
            (folder / name).write_text(pointer)
        with pytest.raises(InputError, match="is a Git LFS pointer"):
            Tokenizer.load(folder)


def test_a_byte_order_mark_in_merges_is_dropped(sound: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "vocab.json").write_text("\ufeff" + json.dumps(sound["model"]["vocab"]), encoding="utf-8")
    merges = "\ufeff#version: 0.2\n" + "\n".join(sound["model"]["merges"])
    (tmp_path / "merges.txt").write_text(merges, encoding="utf-8")
    assert Tokenizer.load(tmp_path).vocab_size == 262


def test_a_run_has_the_tokenizer_of_its_model(sound: dict[str, Any], tmp_path: Path) -> None:
    (tmp_path / "model").mkdir()
    (tmp_path / "model" / "tokenizer.json").write_text(json.dumps(sound))
    assert Tokenizer.load(tmp_path).fingerprint == Tokenizer.load(tmp_path / "model").fingerprint


def test_a_folder_without_a_tokenizer_is_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"holds no tokenizer\.json"):
        Tokenizer.load(tmp_path)


def test_a_missing_and_a_torn_file_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match="cannot read"):
        Tokenizer.load(tmp_path / "tokenizer.json")
    (tmp_path / "tokenizer.json").write_text('{"model": ')
    with pytest.raises(CorruptFileError, match="not valid JSON"):
        Tokenizer.load(tmp_path)


def test_the_original_spelling_of_gpt2s_pattern_is_known(sound: dict[str, Any], tmp_path: Path) -> None:
    document = copy.deepcopy(sound)
    document["pre_tokenizer"] = split_by(r"'s|'t|'re|'ve|'m|'ll|'d| ?\p{L}+| ?\p{N}+| ?[^\s\p{L}\p{N}]+|\s+(?!\S)|\s+")
    assert Tokenizer.load(write(tmp_path, document)).pattern.name == "gpt2"
