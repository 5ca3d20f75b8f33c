"""The held-out rows of all runs have one schema, and are read back."""

from __future__ import annotations

import math
from pathlib import Path

from tuppence.core.json_lines import read_json_lines
from tuppence.core.run import Run
from tuppence.data.records.conversations import Conversation, read_conversations
from tuppence.data.records.held_out import conversation_row, preference_row, prompt_row, write_held_out
from tuppence.data.records.preferences import Preference, read_preferences
from tuppence.tokenizer.chat_template import Message

TALK = Conversation(
    (
        Message("user", "Hi"),
        Message("assistant", "Hello", trained=False),
        Message("user", "Name a fruit."),
        Message("assistant", "A plum."),
    )
)
PAIR = Preference((Message("user", "Name a fruit."),), chosen="A plum.", rejected="No.")


def test_held_out_conversations_are_read_back_with_their_weights(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_held_out(run, [conversation_row(TALK)])
    assert read_conversations(run.held_out_file).rows == [TALK]


def test_held_out_pairs_are_read_back_with_and_without_answers(tmp_path: Path) -> None:
    run = Run(tmp_path)
    write_held_out(run, [preference_row(PAIR, {"before": "x", "after": "y"}), preference_row(PAIR)])
    assert read_preferences(str(run.held_out_file)).rows == [PAIR, PAIR]


def test_rows_have_a_kind_and_one_form_of_answers(tmp_path: Path) -> None:
    run = Run(tmp_path)
    rows = [
        conversation_row(TALK),
        preference_row(PAIR, {"before": "x", "after": "y"}),
        prompt_row("Hi", {"before": {"text": "x", "scores": math.nan}, "after": {"text": "y", "scores": 1.0}}),
    ]
    write_held_out(run, rows)
    written = list(read_json_lines(run.held_out_file))
    assert [row["kind"] for row in written] == ["conversation", "preference", "prompt"]
    assert [row["before"]["text"] for row in written[1:]] == ["x", "x"]
    assert written[2]["before"]["scores"] is None


def test_files_of_earlier_versions_without_a_kind_are_read(tmp_path: Path) -> None:
    run = Run(tmp_path)
    old = {key: value for key, value in preference_row(PAIR).items() if key != "kind"}
    write_held_out(run, [{**old, "before": "x", "after": "y"}])
    assert read_preferences(str(run.held_out_file)).rows == [PAIR]
