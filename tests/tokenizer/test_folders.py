"""The files of a tokenizer's folder are read as transformers reads them, and none that changes ids is ignored."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
from transformers import AutoTokenizer

from tuppence.core.errors import InputError
from tuppence.tokenizer import Tokenizer, train_tokenizer
from tuppence.tokenizer.folders import holds_tokenizer
from tuppence.tokenizer.huggingface import tokenizer_document

END, IM_END = "<|endoftext|>", "<|im_end|>"
FLAGS = {"lstrip": False, "rstrip": False, "normalized": False, "single_word": False, "special": True}


def put(folder: Path, **contents: Any) -> Path:
    """Writes JSON files, named without their suffix."""
    folder.mkdir(exist_ok=True)
    for name, content in contents.items():
        (folder / f"{name}.json").write_text(json.dumps(content), encoding="utf-8")
    return folder


def older_layout(folder: Path, tokenizer: Tokenizer, vocab: str = "vocab.json", merges: str = "merges.txt") -> Path:
    document = tokenizer_document(tokenizer.vocabulary)
    folder.mkdir(exist_ok=True)
    (folder / vocab).write_text(json.dumps(document["model"]["vocab"]), encoding="utf-8")
    (folder / merges).write_text("#version: 0.2\n" + "\n".join(document["model"]["merges"]), encoding="utf-8")
    return folder


@pytest.fixture(scope="module")
def plain() -> Tokenizer:
    return train_tokenizer(["the cat, the hat " * 9], 262)


def assert_as_transformers(folder: Path) -> Tokenizer:
    ours, theirs = Tokenizer.load(folder), AutoTokenizer.from_pretrained(folder)
    assert (ours.vocab_size, ours.end_of_text) == (len(theirs), theirs.eos_token_id)
    text = f"the hat{IM_END} the cat{END}"
    assert ours.encode(text, allow_special=True) == theirs(text)["input_ids"]
    return ours


@pytest.mark.parametrize(
    ("file", "content"),
    [
        ("tokenizer_config.json", {"eos_token": "</s>"}),
        ("tokenizer_config.json", {"eos_token": {"content": "</s>", "lstrip": False}}),
        ("special_tokens_map.json", {"eos_token": "</s>"}),
        ("config.json", {"eos_token_id": 256}),
        ("generation_config.json", {"eos_token_id": [7, 256]}),
    ],
)
def test_the_end_of_text_is_the_token_that_the_files_name(file: str, content: dict[str, Any], tmp_path: Path) -> None:
    trained = train_tokenizer(["abc"], 257, special_tokens=("</s>",))
    trained.save(tmp_path)
    assert trained.stop_ids == []
    (tmp_path / file).write_text(json.dumps(content))
    read = Tokenizer.load(tmp_path)
    assert read.end_of_text == trained.special_tokens["</s>"]
    read.save(tmp_path / "again")
    assert Tokenizer.load(tmp_path / "again").end_of_text_name == "</s>"
    assert AutoTokenizer.from_pretrained(tmp_path / "again").eos_token == "</s>"
    assert read.with_chat_template().end_of_text_name == "</s>"  # which our chat template then writes


@pytest.mark.parametrize(
    "beside",
    [
        {
            "added_tokens": {IM_END: 262},
            "special_tokens_map": {"eos_token": IM_END},
            "tokenizer_config": {"tokenizer_class": "GPT2Tokenizer"},
        },
        {
            "added_tokens": {IM_END: 999},  # not read: the config has added_tokens_decoder
            "special_tokens_map": {"eos_token": END},
            "tokenizer_config": {
                "tokenizer_class": "GPT2Tokenizer",
                "eos_token": IM_END,
                "added_tokens_decoder": {"261": {"content": END, **FLAGS}, "262": {"content": IM_END, **FLAGS}},
            },
        },
    ],
)
def test_tokens_added_to_an_older_folder_are_read(plain: Tokenizer, beside: dict[str, Any], tmp_path: Path) -> None:
    folder = put(older_layout(tmp_path / "old", plain), **beside)
    ours = assert_as_transformers(folder)
    assert (ours.end_of_text_name, ours.end_of_text, ours.stop_ids) == (IM_END, 262, [262])


def test_tokens_added_beside_a_tokenizer_json_are_read(plain: Tokenizer, tmp_path: Path) -> None:
    plain.save(tmp_path)
    put(tmp_path, added_tokens={IM_END: 262, END: 261}, special_tokens_map={"eos_token": {"content": IM_END, **FLAGS}})
    ours = assert_as_transformers(tmp_path)
    assert ours.end_of_text_name == IM_END
    assert Tokenizer.load(tmp_path / "tokenizer.json").fingerprint == ours.fingerprint
    put(tmp_path, added_tokens={END: 5})
    with pytest.raises(InputError, match=re.escape(f"'{END}' has the id 261 and, in another file of the folder, 5")):
        Tokenizer.load(tmp_path)


def test_an_added_token_that_is_ordinary_text_is_refused_by_name(plain: Tokenizer, tmp_path: Path) -> None:
    put(older_layout(tmp_path, plain), added_tokens={"hello": 262})
    with pytest.raises(InputError, match="the added token 'hello' is not a special token"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize("key", ["add_prefix_space", "add_bos_token"])
def test_a_config_that_prepends_something_to_every_text_is_refused(plain: Tokenizer, key: str, tmp_path: Path) -> None:
    put(older_layout(tmp_path, plain), tokenizer_config={"tokenizer_class": "GPT2Tokenizer", key: True})
    assert len(AutoTokenizer.from_pretrained(tmp_path)("hat")["input_ids"]) > len(plain.encode("hat"))
    with pytest.raises(InputError, match=rf"tokenizer_config\.json: {key} puts") as caught:
        Tokenizer.load(tmp_path)
    assert f'"{key}": false' in caught.value.hint


def test_an_end_of_text_that_the_vocabulary_lacks_gives_a_warning(
    plain: Tokenizer, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    plain.save(tmp_path)
    put(tmp_path, special_tokens_map={"eos_token": "<|EOS|>"})
    assert Tokenizer.load(tmp_path).end_of_text_name == END
    assert "eos_token '<|EOS|>' is not in its vocabulary: <|endoftext|> is used instead" in capsys.readouterr().err


@pytest.mark.parametrize(
    ("generation", "model", "stops"),
    [
        ({"eos_token_id": [261, 10]}, {"eos_token_id": 261}, [261, 10]),
        ({"eos_token_id": 10}, {"eos_token_id": 261}, [10]),
        ({"temperature": 0.7}, {"eos_token_id": 10}, [10]),
        ({"eos_token_id": 50_256}, {"eos_token_id": None}, [261]),
        ({"eos_token_id": True}, {}, [261]),
    ],
)
def test_all_end_ids_of_the_models_files_are_stop_ids(
    plain: Tokenizer, generation: dict[str, Any], model: dict[str, Any], stops: list[int], tmp_path: Path
) -> None:
    plain.save(tmp_path)
    read = Tokenizer.load(put(tmp_path, generation_config=generation, config=model))
    assert read.stop_ids == stops
    assert (read.end_of_text, read.start_ids) == (261, [261])


def test_a_folder_in_openais_layout_is_read(plain: Tokenizer, tmp_path: Path) -> None:
    assert not holds_tokenizer(tmp_path)
    older_layout(tmp_path, plain, "encoder.json", "vocab.bpe")
    assert holds_tokenizer(tmp_path)
    assert Tokenizer.load(tmp_path).fingerprint == plain.fingerprint


def test_saving_removes_the_other_files_of_an_older_tokenizer(plain: Tokenizer, tmp_path: Path) -> None:
    put(tmp_path, added_tokens={IM_END: 262}, special_tokens_map={"eos_token": IM_END})
    (tmp_path / "chat_template.jinja").write_text("theirs")
    plain.save(tmp_path)
    loaded = Tokenizer.load(tmp_path)
    assert (loaded.fingerprint, loaded.end_of_text_name, loaded.chat_template) == (plain.fingerprint, END, None)
