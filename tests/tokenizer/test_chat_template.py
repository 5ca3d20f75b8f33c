"""transformers renders our template in Jinja to the same text as `render`."""

from __future__ import annotations

import json
import pickle
from pathlib import Path
from typing import Any

import pytest
from hypothesis import given
from hypothesis import strategies as st
from transformers import AutoTokenizer

from tuppence.core.errors import CorruptFileError, InputError
from tuppence.tokenizer import Tokenizer
from tuppence.tokenizer.chat_template import Message, as_role, as_text, render

CONTENT = st.one_of(
    st.text(alphabet="It's 12 \n\r\t\x1c\x85/.:é字'{%}#", max_size=30),
    st.text(st.characters(exclude_categories=["Cs", "Cn"], max_codepoint=0x2FFFF), max_size=20),
)


@st.composite
def conversations(draw: st.DrawFn) -> list[Message]:
    messages = [Message("system", draw(CONTENT))] if draw(st.booleans()) else []
    for _ in range(draw(st.integers(1, 3))):
        messages += [Message("user", draw(CONTENT)), Message("assistant", draw(CONTENT))]
    return messages[:-1] if draw(st.booleans()) else messages


@pytest.fixture(scope="session")
def chat_folder(trained: Tokenizer, tmp_path_factory: pytest.TempPathFactory) -> Path:
    folder = tmp_path_factory.mktemp("chat")
    trained.with_chat_template().save(folder)
    return folder


@pytest.fixture(scope="session")
def peer(chat_folder: Path) -> Any:
    return AutoTokenizer.from_pretrained(chat_folder)


def as_dicts(messages: list[Message]) -> list[dict[str, str]]:
    return [{"role": message.role, "content": message.content} for message in messages]


@given(messages=conversations(), ask=st.booleans())
def test_transformers_writes_the_same_text(peer: Any, messages: list[Message], ask: bool) -> None:
    expected = peer.apply_chat_template(as_dicts(messages), tokenize=False, add_generation_prompt=ask)
    assert as_text(render(messages, add_generation_prompt=ask)) == expected


@given(messages=conversations(), ask=st.booleans())
def test_no_token_lies_across_two_segments(trained: Tokenizer, messages: list[Message], ask: bool) -> None:
    segments = render(messages, add_generation_prompt=ask)
    whole: list[int] = []
    for part in as_text(segments).split("<|endoftext|>"):
        whole += [*trained.encode(part), trained.end_of_text]
    alone: list[int] = []
    for segment in segments:
        alone += trained.encode(segment.text) + ([trained.end_of_text] if segment.ends else [])
    assert alone == whole[:-1] or [*alone, trained.end_of_text] == whole


def test_the_text_is_short_and_plain() -> None:
    messages = [Message("system", " Be brief. "), Message("user", "Name a fruit.\n"), Message("assistant", "Plum.")]
    text = as_text(render([*messages, Message("user", "Another")], add_generation_prompt=True))
    assert text == (
        "Be brief.\n\n### Instruction:\nName a fruit.\n\n### Response:\nPlum.<|endoftext|>"
        "\n### Instruction:\nAnother\n\n### Response:\n"
    )


def test_only_responses_are_trained() -> None:
    messages = [Message("system", "s"), *[Message("user", "u"), Message("assistant", "a")] * 2]
    segments = render(messages, add_generation_prompt=False)
    assert [segment.text for segment in segments if segment.trained] == ["a", "a"]
    assert all(segment.ends == segment.trained for segment in segments)


def test_the_template_is_kept_by_load_and_save(chat_folder: Path, trained: Tokenizer, tmp_path: Path) -> None:
    loaded = Tokenizer.load(chat_folder)
    loaded.save(tmp_path)
    again = Tokenizer.load(tmp_path)
    assert loaded.has_chat_template
    assert again.has_chat_template
    assert pickle.loads(pickle.dumps(loaded)).has_chat_template  # noqa: S301  our own bytes
    assert again.fingerprint == trained.fingerprint


def test_a_base_model_has_none(trained: Tokenizer, tmp_path: Path) -> None:
    trained.save(tmp_path)
    assert not Tokenizer.load(tmp_path).has_chat_template
    assert AutoTokenizer.from_pretrained(tmp_path).chat_template is None


def test_a_template_that_transformers_saved_again_is_recognised(peer: Any, tmp_path: Path) -> None:
    peer.save_pretrained(tmp_path)
    assert (tmp_path / "chat_template.jinja").exists()  # newer versions put it into a file of its own
    assert Tokenizer.load(tmp_path).has_chat_template


@pytest.mark.parametrize("written", ["{{ boom() }}", [{"name": "default", "template": "{{ boom() }}"}]])
def test_an_unsupported_template_is_kept_and_not_used(trained: Tokenizer, tmp_path: Path, written: object) -> None:
    trained.save(tmp_path)
    config = json.loads((tmp_path / "tokenizer_config.json").read_text())
    (tmp_path / "tokenizer_config.json").write_text(json.dumps(config | {"chat_template": written}))
    loaded = Tokenizer.load(tmp_path)
    assert loaded.chat_template == "{{ boom() }}"
    assert not loaded.has_chat_template


def test_a_file_of_its_own_comes_before_the_config(chat_folder: Path, trained: Tokenizer, tmp_path: Path) -> None:
    trained.with_chat_template().save(tmp_path)
    (tmp_path / "chat_template.jinja").write_text("another")
    loaded = Tokenizer.load(tmp_path)
    assert loaded.chat_template == AutoTokenizer.from_pretrained(tmp_path).chat_template == "another"
    loaded.with_chat_template().save(tmp_path)
    assert Tokenizer.load(tmp_path).has_chat_template


def test_a_folder_without_a_config_loads(chat_folder: Path, tmp_path: Path) -> None:
    (tmp_path / "tokenizer.json").write_bytes((chat_folder / "tokenizer.json").read_bytes())
    assert not Tokenizer.load(tmp_path).has_chat_template
    (tmp_path / "tokenizer_config.json").write_text("{")
    with pytest.raises(CorruptFileError, match=r"tokenizer_config.json is not valid JSON"):
        Tokenizer.load(tmp_path)


@pytest.mark.parametrize(
    ("roles", "message"),
    [
        ("", "without a turn of the user"),
        ("s", "without a turn of the user"),
        ("a", "turn 1 is the assistant's, where the user's should be"),
        ("uu", "turn 2 is the user's, where the assistant's should be"),
        ("suas", "turn 4 is the system's, where the user's should be"),
    ],
)
def test_turns_out_of_order_are_refused(roles: str, message: str) -> None:
    names = {"s": "system", "u": "user", "a": "assistant"}
    with pytest.raises(InputError, match=message):
        render([Message(as_role(names[letter]), "x") for letter in roles], add_generation_prompt=False)


def test_unknown_roles_are_refused_here_and_in_transformers(peer: Any) -> None:
    with pytest.raises(InputError, match="the role 'tool' is not known"):
        as_role("tool")
    with pytest.raises(Exception, match="a role is system, user or assistant, not tool"):
        peer.apply_chat_template([{"role": "tool", "content": "x"}], tokenize=False)
