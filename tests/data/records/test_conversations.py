"""Conversations are read from five formats of public files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.conversations import read_conversations
from tuppence.tokenizer.chat_template import Message

Write = Callable[[str, Any], str]

ASKED, ANSWERED = Message("user", "Add.\n\n2, 3"), Message("assistant", "5")
TURNS = [
    {"role": "system", "content": "Be brief."},
    {"role": "user", "content": "Add.\n\n2, 3"},
    {"role": "assistant", "content": "5"},
]
SHARED = [{"from": "human", "value": "Add.\n\n2, 3"}, {"from": "gpt", "value": "5"}]

FORMATS = [
    ("alpaca", {"instruction": "Add. ", "input": "2, 3", "output": "5"}),
    ("dolly", {"instruction": "Add.", "context": "2, 3\n", "response": "5", "category": "sums"}),
    ("sharegpt", {"id": 7, "conversations": SHARED}),
    ("messages", {"messages": TURNS[1:]}),
    ("prompt-completion", {"prompt": "Add.\n\n2, 3", "completion": "5"}),
    ("prompt-completion", {"prompt": TURNS[1:2], "completion": TURNS[2:]}),
    ("prompt-completion", {"prompt": "Add.\n\n2, 3", "response": "5"}),
]


def test_all_rows_of_public_instructions_are_read(shared_data: Path) -> None:
    found = read_conversations(str(shared_data / "instructions" / "instruction-data.json"))
    assert (len(found.rows), found.format, found.skipped_rows) == (1100, "alpaca", 0)
    dolly = shared_data / "instructions" / "databricks-dolly-15k.jsonl.gz"
    found = read_conversations(str(dolly))
    assert (len(found.rows), found.format, found.skipped_rows) == (15_011, "dolly", 0)
    with gzip.open(dolly, "rt", encoding="utf-8") as lines:
        for conversation, row in zip(found.rows, map(json.loads, lines), strict=True):
            asked, answered = (message.content.split() for message in conversation.messages)
            assert asked == row["instruction"].split() + row["context"].split()
            assert answered == row["response"].split()


@pytest.mark.parametrize(("name", "row"), FORMATS)
@pytest.mark.parametrize("file", ["rows.json", "rows.jsonl", "rows.txt"])
def test_the_keys_of_the_rows_decide_the_format(write: Write, name: str, row: dict[str, Any], file: str) -> None:
    found = read_conversations(write(file, [row, row]))
    assert found.format == name
    assert [conversation.messages for conversation in found.rows] == [(ASKED, ANSWERED)] * 2


def test_instructions_are_read_from_csv(write: Write) -> None:
    found = read_conversations(write("rows.csv", 'instruction,output\n"Name a fruit, please.",Plum\n'))
    assert found.rows[0].messages == (Message("user", "Name a fruit, please."), Message("assistant", "Plum"))


@pytest.mark.parametrize("nothing", [{}, {"input": ""}, {"input": None}])
def test_an_instruction_without_input_has_no_empty_line(write: Write, nothing: dict[str, Any]) -> None:
    found = read_conversations(write("rows.jsonl", [{"instruction": "Sing.", "output": "La."} | nothing]))
    assert found.rows[0].messages[0].content == "Sing."


def test_a_system_message_and_several_turns_are_kept(write: Write) -> None:
    found = read_conversations(write("rows.jsonl", [{"messages": TURNS + TURNS[1:]}]))
    assert [message.role for message in found.rows[0].messages] == ["system"] + ["user", "assistant"] * 2


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("alpaca", {"instruction": "Sing.", "output": " "}, "the response is empty"),
        ("alpaca", {"instruction": "Sing.", "output": None}, "'output' is not a string but null"),
        ("alpaca", {"instruction": "Sing."}, "no 'output'"),
        ("alpaca", {"instruction": " ", "input": "", "output": "x"}, "the instruction is empty"),
        ("dolly", {"instruction": "Sing.", "context": "", "response": ""}, "the response is empty"),
        ("messages", {"messages": [{"role": "user", "content": " "}, TURNS[2]]}, "the user's turn is empty"),
        ("messages", {"messages": [TURNS[1], {**TURNS[2], "weight": 0}]}, "every response has weight 0"),
        ("messages", {"messages": [{"role": "user", "content": [{"type": "image"}]}]}, "a part of type 'image'"),
        ("alpaca", {"instruction": "a", "output": "b", "history": ["x"]}, "not a pair of question and answer"),
        ("messages", {"messages": TURNS[:2]}, "the last turn is the user's"),
        ("messages", {"messages": TURNS[2:]}, "turn 1 is the assistant's, where the user's should be"),
        ("messages", {"messages": []}, "without a turn of the user"),
        ("messages", {"messages": "hello"}, "'messages' is not a list of messages but a string"),
        ("messages", {"messages": ["hello"]}, "'messages' 1: not a message but a string"),
        ("messages", {"messages": [*TURNS, {"role": "tool", "content": "x"}]}, "4: the role 'tool' is not known"),
        ("messages", {"messages": [{"role": "user"}]}, "1: a message without 'content'"),
        ("messages", {"messages": [{"role": "user", "content": [1]}]}, "'content' is not a string but a list"),
        ("sharegpt", {"conversations": [{"from": "human", "value": 3}]}, "'value' is not a string but a number"),
        ("prompt-completion", {"prompt": "x"}, "no 'completion'"),
    ],
)
def test_a_bad_row_is_an_error_or_left_out(write: Write, good: str, bad: dict[str, Any], message: str) -> None:
    sound = dict(FORMATS)[good]
    path = write("rows.jsonl", [sound, bad, sound])
    with pytest.raises(InputError, match=message) as caught:
        read_conversations(path)
    assert caught.value.message.startswith(f"{path}, line 2")
    assert isinstance(caught.value, BadRowError)  # every bad row can be skipped, and the hint says so
    assert caught.value.message.count("line 2") == 1
    found = read_conversations(path, skip_bad_rows=True)
    assert (len(found.rows), found.skipped_rows) == (2, 1)


def test_rows_of_no_known_format_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match="no instructions in a known format: its rows have text, label"):
        read_conversations(write("rows.jsonl", [{"text": "a", "label": "b"}]))


def test_a_system_message_beside_the_turns_comes_first(write: Write) -> None:
    talk = [{"from": "human", "value": "Hi"}, {"from": "gpt", "value": "Hello"}]
    rows = [{"conversations": talk, "system": "Be brief."}, {"conversations": talk, "system": ""}]
    found = read_conversations(write("rows.jsonl", rows)).rows
    assert [[message.role for message in row.messages] for row in found] == [
        ["system", "user", "assistant"],
        ["user", "assistant"],
    ]
    assert found[0].messages[0].content == "Be brief."


@pytest.mark.parametrize("names", [("Human", "GPT"), ("User", "Assistant"), ("USER", "Model"), ("prompter", "bot")])
def test_speakers_have_many_names_in_any_case(write: Write, names: tuple[str, str]) -> None:
    turns = [{"role": name, "content": content} for name, content in zip(names, ("Hi", "Hello"), strict=True)]
    found = read_conversations(
        write("rows.jsonl", [{"messages": [{"role": "System", "content": "Be brief."}, *turns]}])
    )
    assert [message.role for message in found.rows[0].messages] == ["system", "user", "assistant"]


@pytest.mark.parametrize("key", [{"weight": 0}, {"train": False}, {"training": False}, {"loss": 0}, {"loss_mask": 0}])
def test_a_response_of_weight_zero_is_context(write: Write, key: dict[str, Any]) -> None:
    rows = [{"messages": [TURNS[1], {**TURNS[2], **key}, TURNS[1], {**TURNS[2], "weight": 1}]}]
    messages = read_conversations(write("rows.jsonl", rows)).rows[0].messages
    assert [message.trained for message in messages] == [True, False, True, True]


@pytest.mark.parametrize(
    "row",
    [
        {"instruction": "Add.", "input": "2, 3", "output": "5"},
        {"prompt": "Add.\n\n2, 3", "completion": {"role": "assistant", "content": "5"}},
        {"question": "Add.\n\n2, 3", "answer": "5"},
        {"conversations": SHARED},
    ],
)
def test_earlier_turns_and_the_system_message_come_first_in_every_format(write: Write, row: dict[str, Any]) -> None:
    beside = {"system": "Be brief.", "history": [["What colour is grass?", "green"]]}
    messages = read_conversations(write("rows.json", [row | beside])).rows[0].messages
    assert [message.content for message in messages] == [
        "Be brief.", "What colour is grass?", "green", "Add.\n\n2, 3", "5"
    ]  # fmt: skip


def test_rejected_answers_are_left_out_and_counted(write: Write) -> None:
    rows = [{"prompt": "Hi", "completion": "Hello", "label": liked} for liked in (True, False, True)]
    found = read_conversations(write("kto.jsonl", rows))
    assert (len(found.rows), found.disliked_rows) == (2, 1)
    with pytest.raises(InputError, match="every answer was rejected"):
        read_conversations(write("kto.jsonl", rows[1:2]))


def test_unused_columns_and_keys_are_reported_with_a_count(write: Write) -> None:
    talk = [{**TURNS[1], "name": "Ann"}, {**TURNS[2], "weight": 0.5}]
    rows = [{"id": 1, "tools": [], "messages": talk}, {"id": 2, "tools": ["search"], "messages": TURNS[1:]}]
    found = read_conversations(write("rows.jsonl", rows))
    assert dict(found.unused.rows) == {
        "id": 2, "tools": 1, "messages[].name": 1, "messages[].weight other than 0 and 1": 1
    }  # fmt: skip
    assert str(read_conversations(write("rows.json", [{"messages": TURNS}])).unused) == ""


def test_the_error_for_preferences_names_align_dpo(write: Write) -> None:
    with pytest.raises(InputError, match="has preferences, not instructions"):
        read_conversations(write("rows.jsonl", [{"text": "a", "chosen": "b", "rejected": "c"}]))
