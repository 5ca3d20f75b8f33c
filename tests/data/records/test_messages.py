"""The turns of a conversation in a column, and the errors for other values."""

from __future__ import annotations

import pytest

from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.messages import as_messages, instruction_of, list_of_messages
from tuppence.data.records.rows import Row

ROW = Row(
    "a.jsonl, line 3",
    {
        "text": "Hello",
        "one": {"role": "assistant", "content": "Hi"},
        "turns": [{"from": "human", "value": "Hello"}, {"from": "gpt", "value": "Hi"}],
        "instruction": " Add. ",
        "input": "1 and 2",
        "empty": " ",
    },
)


def turns(column: str) -> list[tuple[str, str]]:
    return [(message.role, message.content) for message in as_messages(ROW, column, speaker="user")]


def test_a_string_a_message_and_a_list_are_turns() -> None:
    assert turns("text") == [("user", "Hello")]
    assert turns("one") == [("assistant", "Hi")]
    assert turns("turns") == [("user", "Hello"), ("assistant", "Hi")]


def test_the_error_for_a_value_that_is_no_list_names_its_type() -> None:
    with pytest.raises(BadRowError, match="line 3: 'text' is not a list of messages but a string"):
        list_of_messages(ROW, "text")
    with pytest.raises(BadRowError, match="line 3: 'other' is not a list of messages but missing"):
        list_of_messages(ROW, "other")


def test_an_instruction_is_joined_with_its_input_and_must_not_be_empty() -> None:
    assert instruction_of(ROW, "input").content == "Add.\n\n1 and 2"
    assert instruction_of(ROW, "empty").content == instruction_of(ROW, None).content == "Add."
    with pytest.raises(BadRowError, match="the empty is empty"):
        instruction_of(ROW, "empty", column="empty")
