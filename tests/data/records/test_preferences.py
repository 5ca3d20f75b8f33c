"""Preferences are read from the formats of public files."""

from __future__ import annotations

import gzip
import json
from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from tuppence.core.errors import InputError
from tuppence.data.bad_rows import BadRowError
from tuppence.data.records.preferences import read_preferences
from tuppence.tokenizer.chat_template import Message

Write = Callable[[str, Any], str]

ASK = {"role": "user", "content": "2 + 3?"}
GOOD, BAD = {"role": "assistant", "content": "5"}, {"role": "assistant", "content": "6"}
ONE_TURN = (Message("user", "2 + 3?"),)

FORMATS = [
    ("prompt", {"prompt": "2 + 3?", "chosen": "5", "rejected": "6"}),
    ("prompt", {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}),
    ("prompt", {"prompt": "2 + 3?", "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}),
    ("prompt", {"prompt": "\n\nHuman: 2 + 3?\n\nAssistant:", "chosen": " 5", "rejected": " 6"}),
    ("instruction", {"instruction": "2 + 3?", "input": "", "chosen": "5", "rejected": "6"}),
    ("conversation", {"chosen": [ASK, GOOD], "rejected": [ASK, BAD]}),
    ("transcript", {"chosen": "\n\nHuman: 2 + 3?\n\nAssistant: 5", "rejected": "\n\nHuman: 2 + 3?\n\nAssistant: 6"}),
]


def test_public_pairs_are_read_and_equal_pairs_dropped(shared_data: Path) -> None:
    found = read_preferences(str(shared_data / "preferences" / "instruction-data-with-preference.json"))
    assert (len(found.rows), found.equal_pairs, found.format) == (1094, 6, "instruction")


def test_all_rows_of_hh_rlhf_are_read(shared_data: Path) -> None:
    path = shared_data / "preferences" / "hh-rlhf" / "helpful-base-test.jsonl.gz"
    found = read_preferences(str(path))
    assert (len(found.rows), found.equal_pairs, found.format) == (2352, 2, "transcript")
    with gzip.open(path, "rt", encoding="utf-8") as lines:
        rows = [row for row in map(json.loads, lines) if row["chosen"] != row["rejected"]]
    for pair, row in zip(found.rows, rows, strict=True):
        assert pair.prompt[-1].role == "user"
        for answer, transcript in ((pair.chosen, row["chosen"]), (pair.rejected, row["rejected"])):
            said = " ".join(f"{message.content}" for message in pair.prompt) + " " + answer
            assert said.split() == transcript.replace("\n\nHuman:", " ").replace("\n\nAssistant:", " ").split()


@pytest.mark.parametrize(("name", "row"), FORMATS)
def test_the_keys_of_the_rows_decide_the_format(write: Write, name: str, row: dict[str, Any]) -> None:
    found = read_preferences(write("rows.jsonl", [row]))
    assert found.format == name
    pair = found.rows[0]
    assert (pair.prompt, pair.chosen, pair.rejected) == (ONE_TURN, "5", "6")


def transcript(*turns: str) -> str:
    return "".join(f"\n\n{'Human' if turn[0] == 'h' else 'Assistant'}: {turn}" for turn in turns)


@pytest.mark.parametrize(
    ("chosen", "rejected", "prompt", "answers"),
    [
        (["h1", "a1", "h2", "a2"], ["h1", "a1", "h2", "a3"], ["h1", "a1", "h2"], ("a2", "a3")),
        (["h1", "a1", "h2", "a2"], ["h1", "a9", "h2", "a3"], ["h1"], ("a1", "a9")),
        (["h1", "a1"], ["h1", "a9", "h2", "a3"], ["h1"], ("a1", "a9")),
        (["h1", "a1", "a2"], ["h1", "a3"], ["h1"], ("a1\n\na2", "a3")),
    ],
)
def test_the_prompt_is_the_common_beginning_of_both_transcripts(
    write: Write, chosen: list[str], rejected: list[str], prompt: list[str], answers: tuple[str, str]
) -> None:
    row = {"chosen": transcript(*chosen), "rejected": transcript(*rejected)}
    pair = read_preferences(write("rows.jsonl", [row])).rows[0]
    assert [message.content for message in pair.prompt] == prompt
    assert (pair.chosen, pair.rejected) == answers


def test_a_rejected_answer_can_be_empty(write: Write) -> None:
    pair = read_preferences(write("rows.jsonl", [{"prompt": "Hello?", "chosen": "Hi.", "rejected": ""}])).rows[0]
    assert pair.rejected == ""


def test_answers_that_differ_in_white_space_at_the_ends_are_equal(write: Write) -> None:
    rows = [FORMATS[0][1], {"prompt": "x", "chosen": "same", "rejected": " same\n"}]
    found = read_preferences(write("rows.json", rows))
    assert (len(found.rows), found.equal_pairs, found.skipped_rows) == (1, 1, 0)
    with pytest.raises(InputError, match="chosen and rejected are equal in all rows"):
        read_preferences(write("rows.json", rows[1:]))


@pytest.mark.parametrize(
    ("good", "bad", "message"),
    [
        ("prompt", {"prompt": "x", "chosen": "a"}, "it has no 'rejected' answer"),
        ("prompt", {"prompt": "x", "chosen": "a", "rejected": None}, "it has no 'rejected' answer"),
        ("prompt", {"prompt": "x", "rejected": "a"}, "it has no 'chosen' answer"),
        ("prompt", {"prompt": "x", "chosen": " ", "rejected": "a"}, "the chosen answer is empty"),
        ("prompt", {"prompt": "x", "chosen": "a", "rejected": 5}, "'rejected' is not a string but a number"),
        ("prompt", {"chosen": "a", "rejected": "b"}, "no 'prompt'"),
        ("prompt", {"prompt": [ASK, GOOD], "chosen": "a", "rejected": "b"}, "the prompt's last turn is not the user's"),
        ("prompt", {"prompt": [GOOD], "chosen": "a", "rejected": "b"}, "turn 1 is the assistant's"),
        ("conversation", {"chosen": [ASK], "rejected": [ASK]}, "do not differ first at an answer of the assistant"),
        ("conversation", {"chosen": [GOOD], "rejected": [BAD]}, "without a turn of the user"),
        ("transcript", {"chosen": "hello", "rejected": "\n\nHuman: x"}, "should begin with 'Human:'"),
        (
            "transcript",
            {"chosen": transcript("h1", "a1", "h2", "a2"), "rejected": transcript("h9", "a1", "h2", "a2")},
            "do not differ first at an answer",
        ),
        (
            "transcript",
            {"chosen": transcript("h1", "a1", "h2", "a2"), "rejected": transcript("h1", "a1", "h9", "a2")},
            "do not differ first at an answer",
        ),
    ],
)
def test_a_bad_row_is_an_error_or_left_out(write: Write, good: str, bad: dict[str, Any], message: str) -> None:
    sound = dict(reversed(FORMATS))[good]
    path = write("rows.jsonl", [sound, bad, sound])
    with pytest.raises(InputError, match=message) as caught:
        read_preferences(path)
    assert caught.value.message.startswith(f"{path}, line 2")
    assert isinstance(caught.value, BadRowError)
    assert caught.value.message.count("line 2") == 1
    found = read_preferences(path, skip_bad_rows=True)
    assert (len(found.rows), found.skipped_rows, found.equal_pairs) == (2, 1, 0)


def test_rows_of_no_known_format_are_refused(write: Write) -> None:
    with pytest.raises(InputError, match="no preferences in a known format: its rows have instruction, output"):
        read_preferences(write("rows.jsonl", [{"instruction": "a", "output": "b"}]))


def test_common_turns_belong_to_the_prompt_and_later_turns_are_counted(write: Write) -> None:
    thanks, more = {"role": "user", "content": "And 3 + 3?"}, {"role": "assistant", "content": "7"}
    row = {"prompt": [ASK], "chosen": [GOOD, thanks, BAD], "rejected": [GOOD, thanks, more, thanks, more]}
    found = read_preferences(write("rows.jsonl", [row]))
    assert found.rows[0].prompt == (*ONE_TURN, Message("assistant", "5"), Message("user", "And 3 + 3?"))
    assert (found.rows[0].chosen, found.rows[0].rejected, found.cut_pairs) == ("6", "7", 1)
    whole = read_preferences(write("rows.jsonl", [{"chosen": [ASK, GOOD], "rejected": [ASK, BAD]}]))
    assert whole.cut_pairs == 0


FURTHER = [
    ("conversations", {"conversations": [ASK], "chosen": {"from": "gpt", "value": "5"}, "rejected": BAD}),
    ("conversations", {"messages": [ASK], "chosen": GOOD, "rejected": [BAD]}),
    ("prompt", {"question": ASK["content"], "chosen": "5", "rejected": "6"}),
    ("prompt", {"prompt": [ASK], "chosen": [GOOD], "rejected": [BAD]}),
    ("ranked", {"instruction": ASK["content"], "output": ["5", "6"]}),
    ("openai", {"input": {"messages": [ASK]}, "preferred_output": [GOOD], "non_preferred_output": [BAD]}),
]


@pytest.mark.parametrize(("name", "row"), FURTHER)
def test_formats_of_other_tools_are_read(write: Write, name: str, row: dict[str, Any]) -> None:
    found = read_preferences(write("rows.json", [row, row]))
    assert (found.format, str(found.unused)) == (name, "")
    assert [(pair.prompt, pair.chosen, pair.rejected) for pair in found.rows] == [(ONE_TURN, "5", "6")] * 2


@pytest.mark.parametrize(("name", "row"), [*FORMATS, *FURTHER])
def test_prompts_have_the_system_message_and_earlier_turns_in_every_format(
    write: Write, name: str, row: dict[str, Any]
) -> None:
    beside = {"system": "You are a pirate.", "history": [["hello", "ahoy"]]}
    (pair,) = read_preferences(write("rows.json", [row | beside])).rows
    assert [message.content for message in pair.prompt[:3]] == ["You are a pirate.", "hello", "ahoy"]
    assert pair.prompt[3:] == ONE_TURN


def test_unused_keys_beside_the_messages_of_openai_are_reported(write: Write) -> None:
    row = dict(FURTHER[-1][1])
    row["input"] = {"messages": [ASK], "tools": [{"type": "function"}], "parallel_tool_calls": True}
    unused = read_preferences(write("rows.json", [row])).unused
    assert dict(unused.rows) == {"input.tools": 1, "input.parallel_tool_calls": 1}


def test_the_system_message_is_kept_if_the_answers_repeat_the_conversation(write: Write) -> None:
    row = {"prompt": [{"role": "system", "content": "Be brief."}, ASK], "chosen": [ASK, GOOD], "rejected": [ASK, BAD]}
    (pair,) = read_preferences(write("rows.json", [row])).rows
    assert [message.role for message in pair.prompt] == ["system", "user"]


def test_the_error_for_single_answers_names_finetune_instruct(write: Write) -> None:
    with pytest.raises(InputError, match="single answers with a label") as caught:
        read_preferences(write("rows.jsonl", [{"prompt": "Hi", "completion": "Hello", "label": False}]))
    assert "tuppence finetune instruct" in caught.value.hint
