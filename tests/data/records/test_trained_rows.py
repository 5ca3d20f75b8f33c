"""The digests of a run's prompts ignore white space, case and answers."""

from __future__ import annotations

from pathlib import Path

from tuppence.data.records.conversations import Conversation
from tuppence.data.records.labelled import LabelledText
from tuppence.data.records.preferences import Preference
from tuppence.data.records.trained_rows import digest_of, read_trained_rows, write_trained_rows
from tuppence.tokenizer.chat_template import Message


def test_trained_prompts_are_recognised(tmp_path: Path) -> None:
    pair = Preference((Message("user", "Name a fruit."),), "apple", "house")
    write_trained_rows(tmp_path, [pair, LabelledText("You have WON", "spam"), LabelledText("you  have won", "ham")])
    known = read_trained_rows(tmp_path)
    assert known == {digest_of("name a\nFRUIT."), digest_of("You have won")}
    assert digest_of("apple") not in known


def test_every_prompt_of_a_conversation_is_recognised(tmp_path: Path) -> None:
    turns = [("user", "Name a fruit."), ("assistant", "Apple."), ("user", "And a tree."), ("assistant", "Oak.")]
    talk = Conversation(tuple(Message(role, text) for role, text in turns))  # type: ignore[arg-type]
    write_trained_rows(tmp_path, [talk])
    both = {digest_of("Name a fruit."), digest_of("Name a fruit. Apple. And a tree.")}
    assert read_trained_rows(tmp_path) == both


def test_the_prompts_of_the_original_run_are_added(tmp_path: Path) -> None:
    for name, text in (("first", "one"), ("second", "two")):
        (tmp_path / name).mkdir()
        write_trained_rows(tmp_path / name, [LabelledText(text, "x")], origin=tmp_path / "first")
    assert read_trained_rows(tmp_path / "second") == {digest_of("one"), digest_of("two")}
    write_trained_rows(tmp_path / "second", [LabelledText("two", "x")])  # the run continues: its digests are kept
    assert read_trained_rows(tmp_path / "second") == {digest_of("one"), digest_of("two")}


def test_a_missing_file_and_damaged_lines_give_no_digest(tmp_path: Path) -> None:
    assert read_trained_rows(tmp_path) == frozenset()
    (tmp_path / "trained-on.txt").write_bytes(b"0123456789abcdef\n\xff\xfe torn\n0123")
    assert read_trained_rows(tmp_path) == {"0123456789abcdef"}
