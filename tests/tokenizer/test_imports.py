from __future__ import annotations

import base64
import json
from pathlib import Path

import pytest
import tiktoken
from hypothesis import given, settings
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tuppence.core.errors import InputError
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.huggingface import tokenizer_document
from tuppence.tokenizer.imports import import_tokenizer, read_tiktoken
from tuppence.tokenizer.patterns import GPT2

TEXT = st.one_of(
    st.text(alphabet="It'sſ 12345 \n\r\tx.é字<|endoftext|>", max_size=80), st.text(st.characters(), max_size=60)
)


@pytest.fixture(scope="module")
def gpt2(shared_data: Path) -> Tokenizer:
    folder = shared_data / "tokenizer" / "gpt2"
    return import_tokenizer([folder / "vocab.bpe", folder / "encoder.json"])


@pytest.fixture(scope="module")
def cl100k(shared_data: Path) -> Tokenizer:
    return import_tokenizer([shared_data / "tokenizer" / "tiktoken" / "cl100k_base.tiktoken"])


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_gpt2_gives_the_ids_of_tiktoken(gpt2: Tokenizer, openai_r50k: tiktoken.Encoding, text: str) -> None:
    assert gpt2.encode(text) == openai_r50k.encode_ordinary(text)
    assert gpt2.encode(text, allow_special=True) == openai_r50k.encode(text, allowed_special="all")


def test_gpt2_gives_the_ids_of_tiktoken_on_novels_and_in_387_languages(
    gpt2: Tokenizer, openai_r50k: tiktoken.Encoding, languages: dict[str, str], shared_data: Path
) -> None:
    novels = (shared_data / "text" / "english-novels" / "val.txt").read_text(encoding="utf-8")[:500_000]
    for text in [novels, *languages.values()]:
        assert gpt2.encode(text) == openai_r50k.encode_ordinary(text)


@settings(max_examples=300, deadline=None)
@given(text=TEXT)
def test_cl100k_gives_the_ids_of_tiktoken(cl100k: Tokenizer, openai_cl100k: tiktoken.Encoding, text: str) -> None:
    assert cl100k.encode(text) == openai_cl100k.encode_ordinary(text)


def test_cl100k_gives_the_ids_of_tiktoken_in_387_languages(
    cl100k: Tokenizer, openai_cl100k: tiktoken.Encoding, languages: dict[str, str]
) -> None:
    for text in languages.values():
        assert cl100k.encode(text) == openai_cl100k.encode_ordinary(text)


def test_all_published_formats_of_gpt2_give_one_tokenizer(gpt2: Tokenizer, shared_data: Path) -> None:
    folder = shared_data / "tokenizer"
    assert gpt2.end_of_text == 50_256
    assert gpt2.fingerprint == import_tokenizer([folder / "tiktoken" / "r50k_base.tiktoken"]).fingerprint
    assert gpt2.fingerprint == import_tokenizer([folder / "gpt2" / "tokenizer.json"]).fingerprint


def test_an_imported_tokenizer_is_saved_in_our_layout(cl100k: Tokenizer, tmp_path: Path) -> None:
    cl100k.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert loaded.fingerprint == cl100k.fingerprint
    assert (loaded.vocab_size, loaded.end_of_text, loaded.pattern.name) == (100_257, 100_256, "gpt4")


def test_a_folder_of_openais_files_is_read(tmp_path: Path) -> None:
    tokenizer = small_tiktoken(tmp_path / "small.tiktoken")
    model = tokenizer_document(tokenizer.vocabulary)["model"]
    (tmp_path / "encoder.json").write_text(json.dumps(model["vocab"]))
    (tmp_path / "vocab.bpe").write_text("#version: 0.2\n" + "\n".join(model["merges"]), encoding="utf-8")
    assert import_tokenizer([tmp_path]).fingerprint == tokenizer.fingerprint


@pytest.mark.parametrize("beside", ["tokenizer_config.json", "special_tokens_map.json"])
def test_import_keeps_the_end_of_text_and_the_template(beside: str, tmp_path: Path) -> None:
    train_tokenizer(["the cat"], 260, special_tokens=("<|endoftext|>", "<|im_end|>")).save(tmp_path)
    (tmp_path / beside).write_text(json.dumps({"eos_token": "<|im_end|>"}))
    (tmp_path / "chat_template.jinja").write_text("{{ messages }}")
    for path in (tmp_path, tmp_path / "tokenizer.json"):
        import_tokenizer([path]).save(tmp_path / "again")
        again = Tokenizer.load(tmp_path / "again")
        assert (again.end_of_text_name, again.chat_template) == ("<|im_end|>", "{{ messages }}")
        assert AutoTokenizer.from_pretrained(tmp_path / "again").eos_token == "<|im_end|>"


def small_tiktoken(path: Path) -> Tokenizer:
    tokenizer = train_tokenizer(["the cat, the hat " * 9], 261)
    path.write_text(
        "".join(f"{base64.b64encode(token).decode()} {rank}\n" for token, rank in tokenizer.vocabulary.ranks.items())
    )
    return tokenizer


def test_the_pattern_of_ranks_is_found_by_size_or_name_or_given(tmp_path: Path) -> None:
    path = tmp_path / "small.tiktoken"
    tokenizer = small_tiktoken(path)
    with pytest.raises(InputError, match=r"the split pattern of .* is unknown") as caught:
        import_tokenizer([path])
    assert caught.value.hint == "pass --pattern gpt2 or --pattern gpt4"
    assert import_tokenizer([path], "gpt2").fingerprint == tokenizer.fingerprint
    assert import_tokenizer([path.rename(tmp_path / "my-cl100k.tiktoken")]).pattern.name == "gpt4"


@pytest.mark.parametrize(
    ("line", "message"),
    [
        ("!!! 0", r"line 3: '!!! 0' is not a token in base64 and a rank"),
        ("AA== x", "line 3: 'AA== x' is not"),
        ("AA==", "line 3: 'AA==' is not"),
        ("", "line 3: '' is not"),
        ("AA== 300 7", "line 3: 'AA== 300 7' is not"),
        ("YQ== 700", "line 99: 'a' is given twice"),
    ],
)
def test_a_malformed_line_is_named(line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.tiktoken"
    small_tiktoken(path)
    lines = path.read_text().splitlines()
    path.write_text("\n".join([*lines[:2], line, *lines[2:]]))
    with pytest.raises(InputError, match=message) as caught:
        read_tiktoken(path, GPT2)
    assert str(path) in caught.value.message


@pytest.mark.parametrize(
    ("row", "line", "message"),
    [
        (256, "dGg= 300", "no token has the id 256"),
        (256, "dGg= 7", "both have the id 7"),
        (65, "cXE= 65", "no token for the byte 0x41"),
        (260, f"{base64.b64encode(b'qqqq').decode()} 260", "cannot be merged from two older ones"),
    ],
)
def test_invalid_ranks_are_refused(row: int, line: str, message: str, tmp_path: Path) -> None:
    path = tmp_path / "bad.tiktoken"
    small_tiktoken(path)
    lines = [*path.read_text().splitlines(), f"{base64.b64encode(b'thh').decode()} 260"]
    lines[row] = line
    path.write_text("\n".join(lines))
    with pytest.raises(InputError, match=message):
        read_tiktoken(path, GPT2)


def test_files_that_do_not_belong_together_are_refused(tmp_path: Path, shared_data: Path) -> None:
    folder = shared_data / "tokenizer" / "gpt2"
    cut = tmp_path / "vocab.bpe"
    cut.write_bytes(b"\n".join((folder / "vocab.bpe").read_bytes().split(b"\n")[:-5]))
    with pytest.raises(InputError, match="is neither a byte nor made by a merge"):
        import_tokenizer([folder / "encoder.json", cut])


def test_files_of_an_unknown_format_are_refused(tmp_path: Path) -> None:
    with pytest.raises(InputError, match=r"a\.json, b\.json are not the files of one tokenizer"):
        import_tokenizer([tmp_path / "a.json", tmp_path / "b.json"])
    with pytest.raises(InputError, match="cannot read"):
        import_tokenizer([tmp_path / "missing.tiktoken"], "gpt2")


def test_a_binary_file_is_refused(tmp_path: Path) -> None:
    path = tmp_path / "x.tiktoken"
    path.write_bytes(b"\xff\xfe\x00")
    with pytest.raises(InputError, match=r"is not UTF-8 \(byte 0\)"):
        import_tokenizer([path], "gpt2")


def test_a_pattern_that_the_files_do_not_have_is_refused(tmp_path: Path) -> None:
    train_tokenizer(["abc"], 257).save(tmp_path)
    with pytest.raises(InputError, match="have the pattern gpt2, not gpt4"):
        import_tokenizer([tmp_path], "gpt4")
    assert import_tokenizer([tmp_path], "gpt2").vocab_size == 257


def test_the_error_for_another_file_names_the_formats(tmp_path: Path) -> None:
    book = tmp_path / "book.txt"
    book.write_text("Call me Ishmael.", encoding="utf-8")
    with pytest.raises(InputError, match=r"book\.txt alone is no tokenizer") as refusal:
        import_tokenizer([book])
    assert "vocab.json and merges.txt" in refusal.value.hint
