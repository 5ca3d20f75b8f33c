"""The prompts that are read from a file of instructions, and their answers."""

from __future__ import annotations

import json
from pathlib import Path

import pytest

from tuppence.core.errors import InputError
from tuppence.evaluation.scoring.answers import read_asked


def test_a_conversation_is_asked_up_to_its_last_response(tmp_path: Path) -> None:
    turns = [("user", "Hi"), ("assistant", "Hello"), ("user", "Again?"), ("assistant", "Hello again")]
    file = tmp_path / "chat.jsonl"
    file.write_text(json.dumps({"messages": [{"role": role, "content": content} for role, content in turns]}))
    (asked,) = read_asked(str(file)).rows
    assert [message.content for message in asked.messages] == ["Hi", "Hello", "Again?"]
    assert asked.reference == "Hello again"


def test_a_file_of_something_else_is_refused(tmp_path: Path) -> None:
    file = tmp_path / "other.jsonl"
    file.write_text('{"text": "once upon a time"}\n')
    with pytest.raises(InputError, match=r"other\.jsonl"):
        read_asked(str(file))


def test_rows_without_a_response_are_refused_or_skipped_and_counted(
    tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    file = tmp_path / "some-bad.json"
    rows = [{"instruction": f"Say {n}.", "output": "" if n == 1 else str(n)} for n in range(4)]
    file.write_text(json.dumps(rows))
    with pytest.raises(InputError, match="row 2"):
        read_asked(str(file))
    assert [asked.reference for asked in read_asked(str(file), limit=2, skip_bad_rows=True).rows] == ["0", "2"]
    assert "skipped 1 bad row of" in " ".join(capsys.readouterr().err.split())
